import type { Example } from "./example.ts";

/** A new device asks for a challenge for the main factor. */
export const retrieveKeypairChallenge: Example = {
  method: "POST",
  path: "/v1/retrieve/challenge/keypair",
  request: `{}`,
  status: 200,
  response: `{
  "challenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..D7E53PGik3iCcILp.Cksmcr8WVjP8Y7D97SyrGvI3bDtLAPiV__nU83NvaWCqpYYzCGagxAOQ5c5k2eb3MgWLlbWP2SY-w-8tQ1m8MzIUbv653c4IVJsXV0XU0aRYef8XqVrStXV7Dgd2xlb6U702BRnGpTFex7hWX4OdRRpgBE7betyxafFaTvNDKnGKrjsnhGDdAQVQnFiU7rKYVIu7OT0Uw9kzxXnqm8UFvA7oBM8.wgjn9_votFHtfWOw4ztVqg"
}`,
};

/** The main factor recovers the backup. The token lets the new device add its sync factor. */
export const retrieve: Example = {
  method: "POST",
  path: "/v1/retrieve/from-challenge",
  request: `{
  "authorization": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU=",
    "signature": "MEUCIQC1UDwulFneGmeCW5QrkzGtzjDySmN4JqN2go+aMKyu2gIgLwv002hVXxjttD3huj/zhhi1NckKnRA8LSwp0Gm2e/Q="
  },
  "challengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..D7E53PGik3iCcILp.Cksmcr8WVjP8Y7D97SyrGvI3bDtLAPiV__nU83NvaWCqpYYzCGagxAOQ5c5k2eb3MgWLlbWP2SY-w-8tQ1m8MzIUbv653c4IVJsXV0XU0aRYef8XqVrStXV7Dgd2xlb6U702BRnGpTFex7hWX4OdRRpgBE7betyxafFaTvNDKnGKrjsnhGDdAQVQnFiU7rKYVIu7OT0Uw9kzxXnqm8UFvA7oBM8.wgjn9_votFHtfWOw4ztVqg"
}`,
  status: 200,
  response: `{
  "backup": "dGhlIGZpcnN0IGNpcGhlcnRleHQ=",
  "metadata": {
    "id": "backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    "keys": [
      {
        "kind": "ICLOUD",
        "encryptedKey": "q83vEjRWeJCrze8SNFZ4kA=="
      }
    ],
    "factors": [
      {
        "id": "0b7c4e52-6c4e-4c59-9f0a-5f3c7f6d2a11",
        "createdAt": 1767225600,
        "kind": {
          "kind": "EC_KEYPAIR",
          "publicKey": "BGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU="
        }
      }
    ],
    "syncFactors": [
      {
        "id": "6f1c3d0e-0d1b-4f6e-8d53-0a1f4f6d7c22",
        "createdAt": 1767225600,
        "kind": {
          "kind": "EC_KEYPAIR",
          "publicKey": "BHzyexiNA09+ilI4AwS1GsPAiWnid/IbNaYLSPxHZpl4B3dVENuO0EApPZrGn3Qw27p9reY86YIpngS3nSJ4c9E="
        }
      },
      {
        "id": "9d3b6a58-7f1e-4c1d-8a55-3b0e2c9f4d33",
        "createdAt": 1767312000,
        "kind": {
          "kind": "EC_KEYPAIR",
          "publicKey": "BF7L5NGmMwpEyPfvlR1L8WXmxrch762phftBZhvG5/1shzRkDEmY/343SwbOGmSi7NgqsDY4T7g9mnmxJ6J9UDI="
        }
      }
    ],
    "manifestHash": "ee61ec093d7678da4ed307f02d4f2c2ff32ed80208befac49140d4bbc920757b",
    "versions": [
      {
        "versionId": "5a0c9d1e-3b77-4f0e-9c51-2d8e6b1f7a44",
        "manifestHash": "5f0c2a9b5f0c2a9b5f0c2a9b5f0c2a9b5f0c2a9b5f0c2a9b5f0c2a9b5f0c2a9b",
        "size": 22,
        "createdAt": 1767225600,
        "replacedAt": 1767312000
      }
    ]
  },
  "syncFactorToken": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"
}`,
};

/** The same for a passkey: the options that `navigator.credentials.get()` takes. */
export const retrievePasskeyChallenge: Example = {
  method: "POST",
  path: "/v1/retrieve/challenge/passkey",
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
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..-v0VgrhJ50oym6d6.AKAJckFIVM7mI9G3CiU_2N3jlN1V3eQJilOFGXZcUVaKx8Uf2NsQQic5u_Us9dU3OxzZy-NbACsb0XnG4A0VUbFt4kMWVvOayoj5KbiM6xZvZ3AKQKal3J7owtSgkr-w1ooFwPhjX7sB6uD111xPgjMV3byR9wypxzRNWZ3uZdOwN_BBFFGGm-r2oz-lONAjkON9bVR-sK1rSK15xvawS0Nawdc.jOUONd4wL1QL5ib0tAVLjw"
}`,
};
