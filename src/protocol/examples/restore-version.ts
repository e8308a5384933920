import type { Example } from "./example.ts";

/** A device asks for a challenge to restore a version. The token is bound to that version. */
export const restoreVersionChallenge: Example = {
  method: "POST",
  path: "/v1/restore-version/challenge/keypair",
  request: `{
  "versionId": "5a0c9d1e-3b77-4f0e-9c51-2d8e6b1f7a44"
}`,
  status: 200,
  response: `{
  "challenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..tF5A3iSIhLu-ZSJh.FVqyNhLINjmcDbt7MVbndHwBmFGSmiup-GUVkjS957QX7UyxhE05LLXA1FwQ_U8VmkjkRlzEyl_kH8f5drYX1toHwbncr0ZQG-2x1aq2nfl5KbeUNR8u-ysUQD9dYm6O0Yr2lkvtd5Df3GoXSywtAt0bsFzyEUxMbAprXF6Ts3hA8j7bmvzg44xhrF1gg4W9IduOJ8IYdRUnwaY-SSVsu6_sqNgMr-PXKE7kwZlZAMp-rK_U04kzRd7XXWsvORpOwwvCQyGPhL1V5qJNq9Q4gL9TGkM6zjCnoiADoGE.j8DRi47I4UsB0-f-iHiDaQ"
}`,
};

/** The phone's sync factor makes an earlier content current again. */
export const restoreVersion: Example = {
  method: "POST",
  path: "/v1/restore-version",
  request: `{
  "authorization": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BHzyexiNA09+ilI4AwS1GsPAiWnid/IbNaYLSPxHZpl4B3dVENuO0EApPZrGn3Qw27p9reY86YIpngS3nSJ4c9E=",
    "signature": "MEUCIQDqP5WYyzspOhaehmLTBt7Q5sjyevzMnSzCt4E1sLNboQIgaxSGG5LfkcjRID0MyMCmVHSCx3saR/3ZDtDWZJ3fgZ8="
  },
  "challengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..tF5A3iSIhLu-ZSJh.FVqyNhLINjmcDbt7MVbndHwBmFGSmiup-GUVkjS957QX7UyxhE05LLXA1FwQ_U8VmkjkRlzEyl_kH8f5drYX1toHwbncr0ZQG-2x1aq2nfl5KbeUNR8u-ysUQD9dYm6O0Yr2lkvtd5Df3GoXSywtAt0bsFzyEUxMbAprXF6Ts3hA8j7bmvzg44xhrF1gg4W9IduOJ8IYdRUnwaY-SSVsu6_sqNgMr-PXKE7kwZlZAMp-rK_U04kzRd7XXWsvORpOwwvCQyGPhL1V5qJNq9Q4gL9TGkM6zjCnoiADoGE.j8DRi47I4UsB0-f-iHiDaQ",
  "versionId": "5a0c9d1e-3b77-4f0e-9c51-2d8e6b1f7a44",
  "currentManifestHash": "ee61ec093d7678da4ed307f02d4f2c2ff32ed80208befac49140d4bbc920757b"
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
        "id": "6f1c3d0e-0d1b-4f6e-8d53-0a1f4f6d7c22",
        "createdAt": 1767225600,
        "kind": {
          "kind": "EC_KEYPAIR",
          "publicKey": "BHzyexiNA09+ilI4AwS1GsPAiWnid/IbNaYLSPxHZpl4B3dVENuO0EApPZrGn3Qw27p9reY86YIpngS3nSJ4c9E="
        },
        "lastUsedAt": 1768478400
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
    "manifestHash": "5f0c2a9b5f0c2a9b5f0c2a9b5f0c2a9b5f0c2a9b5f0c2a9b5f0c2a9b5f0c2a9b",
    "versions": [
      {
        "versionId": "c3e1b7a2-9d4f-4c86-8b1a-6f0d2e5a7b55",
        "manifestHash": "ee61ec093d7678da4ed307f02d4f2c2ff32ed80208befac49140d4bbc920757b",
        "size": 20,
        "createdAt": 1768478400,
        "replacedAt": 1768478400
      }
    ]
  }
}`,
};
