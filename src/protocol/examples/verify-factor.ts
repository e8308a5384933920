import type { Example } from "./example.ts";

/** A device asks for a challenge for the main factor. */
export const verifyFactorKeypairChallenge: Example = {
  method: "POST",
  path: "/v1/verify-factor/challenge/keypair",
  request: `{}`,
  status: 200,
  response: `{
  "challenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..VRx8GjjmnURExBBb.EY7t6Po4k4y1l8SXfzxjwq-TZJzlFD1XOtUSW-wagB7Bk1VxzufeICI4vvrvGfMpYhG9Mc6y8tNPGKmI5Fbw968D7urFMYrYPpiFEpDfP7ANfssEdakKPZOWZEeBpMV9jQxCERC0T4SItDfp3aCJpkycGJLE7m8RKtGu9Kj2tHERPn5DgtGL8mCPUbgpnSQb3kw2exRLm4myLnfD112jqFhlVzXMQmKIYg.4lMN1WAKHpBSrz-olqYo8w"
}`,
};

/** The main factor is on this backup. */
export const verifyFactor: Example = {
  method: "POST",
  path: "/v1/verify-factor",
  request: `{
  "authorization": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU=",
    "signature": "MEUCIQC1UDwulFneGmeCW5QrkzGtzjDySmN4JqN2go+aMKyu2gIgLwv002hVXxjttD3huj/zhhi1NckKnRA8LSwp0Gm2e/Q="
  },
  "challengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..VRx8GjjmnURExBBb.EY7t6Po4k4y1l8SXfzxjwq-TZJzlFD1XOtUSW-wagB7Bk1VxzufeICI4vvrvGfMpYhG9Mc6y8tNPGKmI5Fbw968D7urFMYrYPpiFEpDfP7ANfssEdakKPZOWZEeBpMV9jQxCERC0T4SItDfp3aCJpkycGJLE7m8RKtGu9Kj2tHERPn5DgtGL8mCPUbgpnSQb3kw2exRLm4myLnfD112jqFhlVzXMQmKIYg.4lMN1WAKHpBSrz-olqYo8w"
}`,
  status: 200,
  response: `{
  "backupId": "backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
}`,
};

/** The same for a passkey: the options that `navigator.credentials.get()` takes. */
export const verifyFactorPasskeyChallenge: Example = {
  method: "POST",
  path: "/v1/verify-factor/challenge/passkey",
  request: `{}`,
  status: 200,
  response: `{
  "challenge": {
    "publicKey": {
      "challenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
      "timeout": 300000,
      "rpId": "example.com",
      "allowCredentials": [],
      "userVerification": "required",
      "extensions": {
        "uvm": true
      }
    },
    "mediation": "conditional"
  },
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..kntDJD4dhZ2qed1O.22OcvNv1gWI-PSXsSjBxvcGNcqWWMFIkzCqvHvE8U1fWhEa_0FLbEUvV0XmLF7qUWiXo8qi59J8_jMkwj2h5q3NlGIASq72JcVsoltNRWy4NYQc5EkJlYlLcPqJMwkYxv5R9mBX1G_kIT57d6A0fdEJ_iLJzHYjQhasDKNK6JoTBOwJaBHy6yorwvJbbSr_6S1aQ86xIdN7jtZ1i7ppwxd9lXhbbRfVbOw.ZIvacZTiZexo0SKbBNennQ"
}`,
};
