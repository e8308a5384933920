import type { Example } from "./example.ts";

/** A device asks for a challenge for its sync factor. */
export const retrieveMetadataChallenge: Example = {
  method: "POST",
  path: "/v1/retrieve-metadata/challenge/keypair",
  request: `{}`,
  status: 200,
  response: `{
  "challenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..pbVcf6kTqIzr6MSP.k6L06CDOez6utIu5K9B_TckRkFCTqTd6m3APZSLr2VxR9zFxlWpS5AhZ6jbeRcHTH7U6QyWWRfpznjVGYdjafEsYHe3_QTtVfiAfwGdBomVA3E-vki2tQ2SuOP3hj9FWVEHCYyavEc3utGKq4mz4-R0faIZOgVqQY4SVf2WeDmx7ymRbGcS3BArQcj4_I41uNjenSlIzONRQ7AVpaBb_axAMYXAPExv4jrhUyrM.FTxfAcFmS6Uc-elylYiXEA"
}`,
};

/** The sync factor reads who may do what to the backup. */
export const retrieveMetadata: Example = {
  method: "POST",
  path: "/v1/retrieve-metadata",
  request: `{
  "authorization": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BHzyexiNA09+ilI4AwS1GsPAiWnid/IbNaYLSPxHZpl4B3dVENuO0EApPZrGn3Qw27p9reY86YIpngS3nSJ4c9E=",
    "signature": "MEUCIQDqP5WYyzspOhaehmLTBt7Q5sjyevzMnSzCt4E1sLNboQIgaxSGG5LfkcjRID0MyMCmVHSCx3saR/3ZDtDWZJ3fgZ8="
  },
  "challengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..pbVcf6kTqIzr6MSP.k6L06CDOez6utIu5K9B_TckRkFCTqTd6m3APZSLr2VxR9zFxlWpS5AhZ6jbeRcHTH7U6QyWWRfpznjVGYdjafEsYHe3_QTtVfiAfwGdBomVA3E-vki2tQ2SuOP3hj9FWVEHCYyavEc3utGKq4mz4-R0faIZOgVqQY4SVf2WeDmx7ymRbGcS3BArQcj4_I41uNjenSlIzONRQ7AVpaBb_axAMYXAPExv4jrhUyrM.FTxfAcFmS6Uc-elylYiXEA"
}`,
  status: 200,
  response: `{
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
}`,
};
