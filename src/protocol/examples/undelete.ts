import type { Example } from "./example.ts";

/** A thief has deleted the backup with the phone's sync factor. The owner asks for a challenge to bring it back. */
export const undeleteChallenge: Example = {
  method: "POST",
  path: "/v1/undelete/challenge/keypair",
  request: `{
  "backupId": "backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
}`,
  status: 200,
  response: `{
  "challenge": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..5ns8FJonxgcWQG1O.UUYvzU3fLFHrfsCEafwgKf_VtdnmwXJj-elnxTgpOM6sERLtPDwF6scN7guFdqcqTNI2vzt58Me-OtscItskNzo2IDnGRdItez23T04lSo0nqnA2MDVJ77Z9B8EzGCdgMtkW-vKACn4rcfmfuejyLLIo73vnpZT10mNY5ib4DF-gLDSlEvry4swaX-Ew7aoFP54HYilGRU2Pl8_9ZEbfD8ZT3vklV3n1Xke7jYUnWRS64XXVMM1n5kuWLe53SIztPwNYe5fpUTXpkKUyBQhz8_Pc5i9HLGW5wmj3EHPOIwqD7VkyVvK9hbww45GBEptFLJ09Imx3VfPocepW_XkAFIce.xhi2jbuqKgS7ziwwocmwmg"
}`,
};

/** The main factor brings the backup back. The phone's sync factor, which deleted it, stays off. */
export const undelete: Example = {
  method: "POST",
  path: "/v1/undelete",
  request: `{
  "authorization": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU=",
    "signature": "MEUCIQDCgADtga1aKSKT5/4JsNsIYad5T37Bq1c8VLypL1flVQIgGEwpvBMFSis2Bf7RndDa69DEem2zXwOuOfWvRcs4fBI="
  },
  "challengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..5ns8FJonxgcWQG1O.UUYvzU3fLFHrfsCEafwgKf_VtdnmwXJj-elnxTgpOM6sERLtPDwF6scN7guFdqcqTNI2vzt58Me-OtscItskNzo2IDnGRdItez23T04lSo0nqnA2MDVJ77Z9B8EzGCdgMtkW-vKACn4rcfmfuejyLLIo73vnpZT10mNY5ib4DF-gLDSlEvry4swaX-Ew7aoFP54HYilGRU2Pl8_9ZEbfD8ZT3vklV3n1Xke7jYUnWRS64XXVMM1n5kuWLe53SIztPwNYe5fpUTXpkKUyBQhz8_Pc5i9HLGW5wmj3EHPOIwqD7VkyVvK9hbww45GBEptFLJ09Imx3VfPocepW_XkAFIce.xhi2jbuqKgS7ziwwocmwmg",
  "backupId": "backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
}`,
  status: 200,
  response: `{
  "backupId": "backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
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
  }
}`,
};

/** The same for a passkey: the options that `navigator.credentials.get()` takes. */
export const undeletePasskeyChallenge: Example = {
  method: "POST",
  path: "/v1/undelete/challenge/passkey",
  request: `{
  "backupId": "backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
}`,
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
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..x3NxAYFjGDYwvE81.lCRHSLrbB3Q4urYNlFtG1W_wJ7xQTn_mevJ8ys5tpxwwUmY6BcCq8QCJj_dhgPmqlRqtvQS4EBPlOwhFbkx9T4ZakT_tnmcR9S6PQ2bnaxBmKEKq8QU-S50ttwpTHMFTWm6KHSpCeUg64EsRyG5wT45VEpT7SdssFBLK5LqaJXHCInnlNLWOPBkbvkWJD-Vh8Sc0DQq1-ycVjCygZK6F_rlTXTyhNWDJGMgUpflkt02M_OEMjQb7jxnb86hllmL5U0LshH6a4pq7cfNLKg-ljX9Pwpotph-_tTiKcHBC4BYFErfos0XzLuuno1j1RU2FcHlB-YWfE9R-lCpRTylLLFnz.phvOtpeMsbIP6IE1ByGw1A"
}`,
};
