import type { Example } from "./example.ts";

/** A device announces a keypair to add, and that a keypair on the backup will authorise it. */
export const addFactorChallenge: Example = {
  method: "POST",
  path: "/v1/add-factor/challenge",
  request: `{
  "newFactor": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BOJTSjUy0I+7oC3eZZ7mK9ADH+LbeFWW71CTAkRrAwhS4PFXWkxjPMcZ3+5f2oYtdk78lsPzDuAFXELCPxhO2MY="
  },
  "existingFactorKind": "EC_KEYPAIR"
}`,
  status: 200,
  response: `{
  "existingFactorChallenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
  "existingFactorToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..7MMfvPBuPXmD-BDq.9VMtgobnKnaoiqDxb3_XEe3pZ81eFjSJLxR3tAh9y9FsAZZfxyjge_Wa8ZYK2J_Z50X8XUQ9UZfFgVEua07WG_ec_lKRRYDEr9h8SB4p-zy3dZbmTuKcwIXOEQIXxhKujpnYZt9j1JNt4JBHwk2KQrM-UITIvSDiRCcBDkPYzQf2Nqo68Tf8iwKRJkpAY68gswhr_J7JjIhcWVfP46EaEXT2PU0lF-61QyelJ3c2XPbb72G9WA1fsyAa65cpqj_SYBnNyCxD36rlFdyIk6cT8fDbLAU7V9SVhXYj_kPMVoyV3yK8q6InOglmAdCb4iJYxobI_UfwGBNnqFukkVIoKybiZ_NmjyRKi_IphRDYFOvnGAVk7dqCdhlQaCrnL5AU_vM8Yefrh8qL3mgujtXHHjs4igNq3Is5wy_V.fZ8YAHb5L9rb4ybFQFaSKQ",
  "newFactorChallenge": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
  "newFactorToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..iF9JHjhiovMoyoq8.yOMaev6oD5MTKLdBagVnwSMz_oraQknEs4tU_CcfY4fMDzH5SsJ-qtE3GVwZmvkotx2Jq5-lidEfoTv7SsOQrHdwr0LU5oHiOYnf6nKgkiDYalrdcbbQmW3wOa0Pg23e_pKf4hn0jQl3Y9G2iHzWZtuMau_r_wGNxVJKLTXRi_266q4wQqp9thuyme368kfzV_y1EN6yKwgq2wbqwOktfAY_q0Oe1sYhQk_PlAW6DU5Qtgsmlz-53LCcJwr9baxek-so9KC2fewI.YlMxMPrzOfrZ6zK6ic0z_g"
}`,
};

/** Both sign: the main factor on the backup and the new one. */
export const addFactor: Example = {
  method: "POST",
  path: "/v1/add-factor",
  request: `{
  "existingFactorAuthorization": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU=",
    "signature": "MEUCIQC1UDwulFneGmeCW5QrkzGtzjDySmN4JqN2go+aMKyu2gIgLwv002hVXxjttD3huj/zhhi1NckKnRA8LSwp0Gm2e/Q="
  },
  "existingFactorChallengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..7MMfvPBuPXmD-BDq.9VMtgobnKnaoiqDxb3_XEe3pZ81eFjSJLxR3tAh9y9FsAZZfxyjge_Wa8ZYK2J_Z50X8XUQ9UZfFgVEua07WG_ec_lKRRYDEr9h8SB4p-zy3dZbmTuKcwIXOEQIXxhKujpnYZt9j1JNt4JBHwk2KQrM-UITIvSDiRCcBDkPYzQf2Nqo68Tf8iwKRJkpAY68gswhr_J7JjIhcWVfP46EaEXT2PU0lF-61QyelJ3c2XPbb72G9WA1fsyAa65cpqj_SYBnNyCxD36rlFdyIk6cT8fDbLAU7V9SVhXYj_kPMVoyV3yK8q6InOglmAdCb4iJYxobI_UfwGBNnqFukkVIoKybiZ_NmjyRKi_IphRDYFOvnGAVk7dqCdhlQaCrnL5AU_vM8Yefrh8qL3mgujtXHHjs4igNq3Is5wy_V.fZ8YAHb5L9rb4ybFQFaSKQ",
  "newFactorAuthorization": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BOJTSjUy0I+7oC3eZZ7mK9ADH+LbeFWW71CTAkRrAwhS4PFXWkxjPMcZ3+5f2oYtdk78lsPzDuAFXELCPxhO2MY=",
    "signature": "MEYCIQDEEKxF9gS0LEuIccDZ6E4JBpZse2qh+qDUwRG2EJKRfAIhAOmc8z84GzPYGlSVV8JM/LAgn14RiSSTasLhHxT8GufW"
  },
  "newFactorChallengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..iF9JHjhiovMoyoq8.yOMaev6oD5MTKLdBagVnwSMz_oraQknEs4tU_CcfY4fMDzH5SsJ-qtE3GVwZmvkotx2Jq5-lidEfoTv7SsOQrHdwr0LU5oHiOYnf6nKgkiDYalrdcbbQmW3wOa0Pg23e_pKf4hn0jQl3Y9G2iHzWZtuMau_r_wGNxVJKLTXRi_266q4wQqp9thuyme368kfzV_y1EN6yKwgq2wbqwOktfAY_q0Oe1sYhQk_PlAW6DU5Qtgsmlz-53LCcJwr9baxek-so9KC2fewI.YlMxMPrzOfrZ6zK6ic0z_g"
}`,
  status: 200,
  response: `{
  "factorId": "c2a8f1b4-3e6d-4b7a-9c10-7d5e8f6a9b44",
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
      },
      {
        "id": "c2a8f1b4-3e6d-4b7a-9c10-7d5e8f6a9b44",
        "createdAt": 1768478400,
        "kind": {
          "kind": "EC_KEYPAIR",
          "publicKey": "BOJTSjUy0I+7oC3eZZ7mK9ADH+LbeFWW71CTAkRrAwhS4PFXWkxjPMcZ3+5f2oYtdk78lsPzDuAFXELCPxhO2MY="
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
  }
}`,
};
