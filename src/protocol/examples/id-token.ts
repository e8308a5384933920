import type { Example } from "./example.ts";

/** In development, Ada signs in with a Google test account. */
export const idToken: Example = {
  method: "POST",
  path: "/dev/id-token",
  request: `{
  "provider": "GOOGLE",
  "publicKey": "BOJTSjUy0I+7oC3eZZ7mK9ADH+LbeFWW71CTAkRrAwhS4PFXWkxjPMcZ3+5f2oYtdk78lsPzDuAFXELCPxhO2MY=",
  "email": "ada@example.com"
}`,
  status: 200,
  response: `{
  "token": "eyJhbGciOiJSUzI1NiIsImtpZCI6InRlc3QtQUFFQ0F3UUZCZ2MiLCJ0eXAiOiJKV1QifQ.eyJub25jZSI6IjYzMDk4MDBhYTVjMGE3MWQxYmUxMDY2MzhmOGVjNmJkOTcxNjBiZjNhNDA4OTI2YjA4YTc0OWU4MzlmYjU2YzYiLCJlbWFpbCI6ImFkYUBleGFtcGxlLmNvbSIsImlzcyI6Imh0dHBzOi8vYWNjb3VudHMuZ29vZ2xlLmNvbSIsImF1ZCI6InRlc3QtY2xpZW50Iiwic3ViIjoidGVzdHxhZGFAZXhhbXBsZS5jb20iLCJpYXQiOjE3Njg0Nzg0MDAsImV4cCI6MTc2ODQ3OTAwMH0.Oe4Am2d4LqDU9aPEiFAC4rdveBDfrAYJDobmivAdDfoS2okx74TXTNl2NiqKRN5QaSJ1yYGL0W2ckou7fIb6ux-1BWG2v00Wvnzt3yQ9p3CdpNMXK4Tv4PzCJNHGJKvsskalTJOWnmtvvcc25pc-Guss506gfAv6xvZs2SXCVUXa0H2LqOKdmb9LuBURxu3jwejBRMCYd7CWe21TXr2B8ErjbUIrpNpxoNmWtl-n-0tT_iOhO4yx2IzO_2J2ejkoI6MssN5im9FBCQQd1GfoYkSENUlcJ2WY-OwS2g8FeSZBp3fN75uh_H1_mdF8q4vUSVid4u0fbOqI3JH0XVgTzw"
}`,
};
