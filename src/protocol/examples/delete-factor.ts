import type { Example } from "./example.ts";

/** A phone asks for a challenge to remove the tablet's sync factor. The token is bound to that factor. */
export const deleteFactorChallenge: Example = {
  method: "POST",
  path: "/v1/delete-factor/challenge/keypair",
  request: `{
  "factorId": "9d3b6a58-7f1e-4c1d-8a55-3b0e2c9f4d33"
}`,
  status: 200,
  response: `{
  "challenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..rNUjMfvnZfhTvjCI.nUCUzA3jtvvQBYDofi2lY9y7yGJnNU2eNsqPtru8vMEqDoihlrPmEV6FI0X0E1v9Cu_rY_C9_s7YNlBQsmL0M5mlN1pM9fHMFBsEPbGiFbvdgvtD-Qshndvws30EosTdnTJiWxtzAaVgFeTFBdtqGdzh5y3T2375N9zdELJYTMICGMAowLeYwsKDzrdFeC8ZL5oLoAQD5pgOQdTebptWXrazA9eHswZQU2JbSjTvHy95R-jX_PU9TR3AwtaHN5Zt3AkB-SqxQCqRGXplsPZCqMQm-vjovVT1W0I.9TyidVuCE3-PeaY10f4UqA"
}`,
};

/** The phone's sync factor removes the tablet's. */
export const deleteFactor: Example = {
  method: "POST",
  path: "/v1/delete-factor",
  request: `{
  "authorization": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BHzyexiNA09+ilI4AwS1GsPAiWnid/IbNaYLSPxHZpl4B3dVENuO0EApPZrGn3Qw27p9reY86YIpngS3nSJ4c9E=",
    "signature": "MEUCIQDqP5WYyzspOhaehmLTBt7Q5sjyevzMnSzCt4E1sLNboQIgaxSGG5LfkcjRID0MyMCmVHSCx3saR/3ZDtDWZJ3fgZ8="
  },
  "challengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..rNUjMfvnZfhTvjCI.nUCUzA3jtvvQBYDofi2lY9y7yGJnNU2eNsqPtru8vMEqDoihlrPmEV6FI0X0E1v9Cu_rY_C9_s7YNlBQsmL0M5mlN1pM9fHMFBsEPbGiFbvdgvtD-Qshndvws30EosTdnTJiWxtzAaVgFeTFBdtqGdzh5y3T2375N9zdELJYTMICGMAowLeYwsKDzrdFeC8ZL5oLoAQD5pgOQdTebptWXrazA9eHswZQU2JbSjTvHy95R-jX_PU9TR3AwtaHN5Zt3AkB-SqxQCqRGXplsPZCqMQm-vjovVT1W0I.9TyidVuCE3-PeaY10f4UqA",
  "factorId": "9d3b6a58-7f1e-4c1d-8a55-3b0e2c9f4d33",
  "scope": "SYNC"
}`,
  status: 200,
  response: `{
  "backupDeleted": false,
  "backupMetadata": {
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
        },
        "lastUsedAt": 1768478400
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
  }
}`,
};
