import type { Example } from "./example.ts";

/** The phone has restored a version. A device asks for a challenge to read the security log. */
export const listEventsChallenge: Example = {
  method: "POST",
  path: "/v1/events/challenge/keypair",
  request: `{}`,
  status: 200,
  response: `{
  "challenge": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..7RRvfrn1WTZzCidN.zvzuffx1Czp9dfxqcIPVyl3G_yYr1DirAUK69jPBqWJrFKm86hOwHDrjfHJGuAWBsxofJae6VZBviw6kzgsLn0zvGAngMcVYhl3XpZJpFTcoRTcbNkBWkr1eZQ0SDHOS9KhW71CafMjJAo49sjJap1f1RT5Pc73rBgpos0yapmxwJcvEj12sJRlOVFddeYa3v4HJOhOSovw8triih3o_Tis5.5EIyFW5XdTjqtRqtBP85hw"
}`,
};

/** The tablet's sync factor reads what happened to the backup. */
export const listEvents: Example = {
  method: "POST",
  path: "/v1/events",
  request: `{
  "authorization": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BF7L5NGmMwpEyPfvlR1L8WXmxrch762phftBZhvG5/1shzRkDEmY/343SwbOGmSi7NgqsDY4T7g9mnmxJ6J9UDI=",
    "signature": "MEYCIQDAOYQS2X53vQ12GIuT/2OgCZ4ZoaOCdI/ctkGvPJTiUQIhAOrXL4+v7/trYUMsgbWMPadDvxLotUZhZlFrvDLlXSqT"
  },
  "challengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..7RRvfrn1WTZzCidN.zvzuffx1Czp9dfxqcIPVyl3G_yYr1DirAUK69jPBqWJrFKm86hOwHDrjfHJGuAWBsxofJae6VZBviw6kzgsLn0zvGAngMcVYhl3XpZJpFTcoRTcbNkBWkr1eZQ0SDHOS9KhW71CafMjJAo49sjJap1f1RT5Pc73rBgpos0yapmxwJcvEj12sJRlOVFddeYa3v4HJOhOSovw8triih3o_Tis5.5EIyFW5XdTjqtRqtBP85hw",
  "limit": 20
}`,
  status: 200,
  response: `{
  "events": [
    {
      "id": "019bc186-de00-7000-9c51-2d8e6b1f7a66",
      "at": 1768478400,
      "kind": "VERSION_RESTORED",
      "actor": {
        "factorId": "6f1c3d0e-0d1b-4f6e-8d53-0a1f4f6d7c22",
        "kind": "EC_KEYPAIR",
        "scope": "SYNC"
      },
      "subject": null,
      "client": null
    }
  ],
  "next": null
}`,
};
