import type { Example } from "./example.ts";

/** A device asks for challenges for the two keypairs of a new backup, and for one for its account key. */
export const createKeypairChallenge: Example = {
  method: "POST",
  path: "/v1/create/challenge/keypair",
  request: `{}`,
  status: 200,
  response: `{
  "challenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..YdogJm8BW8SO52aW.60C2XSIxkcZWcLZv3rhave6x63NNAcFKlYQQsLuxOZfnNfj6AqHyFgCBPGVj2d-hyEDknxCA4ICmAZEEau_uSMtatoTEiK_3yeQKixCyLZsjiN_54rYVYU2IJmtPbz9Yy5K3yzIRrMJ9A7crtQwZlMoPmSSbfnoFnnakHs6iJmKweeMgPJvUhGK9DPslz2Y3xdsnC1X_tlc-V-dLkeMi0IZ2.22QPE93rYjqFOa68xnypZA",
  "backupAccountChallenge": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
  "backupAccountChallengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..xyLF-GI3NKHT1EWn.N8-eHh8lrFlAdIb9Mcz1X5jvTyKBWYU_5px-QQ0MNkg8osFuTxkAr44pg2-8Nkj8luZ7Xs-biYe-ixtZwFUDB9R2eQaTRyX8gy7V4N6j14xp4ZfH4lgvSsJvW2Rqa1Ah8RtUr8FwyAVq8jbTgokIvHm6dN23q8jRzBIEYrFcU20T69KHNdpnHQD7DPmHp-FJx3XTsui6HJraB57HhQJ-QnaI2uY5jVCD3DQ.eLapWO_8M6Db2VjljQA-0Q"
}`,
};

/** The same for a passkey as the main factor. */
export const createPasskeyChallenge: Example = {
  method: "POST",
  path: "/v1/create/challenge/passkey",
  request: `{
  "name": "ada@example.com",
  "displayName": "Ada",
  "platform": "IOS"
}`,
  status: 200,
  response: `{
  "challenge": {
    "publicKey": {
      "rp": {
        "name": "Example",
        "id": "example.com"
      },
      "user": {
        "id": "AAECAwQFBgcICQoLDA0ODw",
        "name": "ada@example.com",
        "displayName": "Ada"
      },
      "challenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
      "pubKeyCredParams": [
        {
          "type": "public-key",
          "alg": -7
        },
        {
          "type": "public-key",
          "alg": -257
        }
      ],
      "timeout": 300000,
      "attestation": "none",
      "authenticatorSelection": {
        "residentKey": "discouraged",
        "requireResidentKey": false,
        "userVerification": "required"
      },
      "extensions": {
        "credentialProtectionPolicy": "userVerificationRequired",
        "enforceCredentialProtectionPolicy": false,
        "uvm": true,
        "credProps": true
      }
    }
  },
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..Z4BsnX4ILv9PDSYh.grZ3DEG6OKOX7_uBI21JVXljZMW_m2OocKUUlDQ2IeMYH9FoSJqu5ga34RWE5CK-0iK2GSLiHm0nZzzVzNVUKxN6_6MwZqg5Q2T-EmYBDxFAjNPlUurzgldHAB5zefz3_u0seBFqdooiL1Vla6zSmvuBZx7hdJXmQeV3oKnFe63kPB-IKfRZDDUlAp7yuapM3Yo2qqZdtY3xdO6TgQ8qK6MY.mYYLUcDXL_KzitwCzrlA6w",
  "backupAccountChallenge": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
  "backupAccountChallengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..cPis1piLZo4B5w1k.nNRNrFl0QpBnt795bn75dZQ5jONyAthZuJRYlciXIO0dhlkPmPvkvrw13lAXiQFLFlRSAlODu3cri8m2PcKU1YMuHSRZelj2TCSSUNZ2CG-hxHtAUokQuJjoZRup9ltY7yAEyvZLhrC2pXDOjcbKCNMkWB2_z_w5tq2PuLrktiMSv8o7vzAr7UgQ50tz37y9GBlLcXVgy3Nxp-ZvZ_DDd853RoQBq4nw960.VAtvfxU9BNBswVF_8d_OHQ"
}`,
};

/** Two keypairs are registered: each signs another challenge. The account key signs a third. */
export const create: Example = {
  method: "POST",
  path: "/v1/create",
  request: `{
  "authorization": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU=",
    "signature": "MEUCIQC1UDwulFneGmeCW5QrkzGtzjDySmN4JqN2go+aMKyu2gIgLwv002hVXxjttD3huj/zhhi1NckKnRA8LSwp0Gm2e/Q="
  },
  "challengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..YdogJm8BW8SO52aW.60C2XSIxkcZWcLZv3rhave6x63NNAcFKlYQQsLuxOZfnNfj6AqHyFgCBPGVj2d-hyEDknxCA4ICmAZEEau_uSMtatoTEiK_3yeQKixCyLZsjiN_54rYVYU2IJmtPbz9Yy5K3yzIRrMJ9A7crtQwZlMoPmSSbfnoFnnakHs6iJmKweeMgPJvUhGK9DPslz2Y3xdsnC1X_tlc-V-dLkeMi0IZ2.22QPE93rYjqFOa68xnypZA",
  "initialEncryptionKey": {
    "kind": "ICLOUD",
    "encryptedKey": "q83vEjRWeJCrze8SNFZ4kA=="
  },
  "initialSyncFactor": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BHzyexiNA09+ilI4AwS1GsPAiWnid/IbNaYLSPxHZpl4B3dVENuO0EApPZrGn3Qw27p9reY86YIpngS3nSJ4c9E=",
    "signature": "MEUCIQDHZ/N9yItr1qde5/9g7en4sA8ppjbINjGrEmuf7uPAgAIgcXYUHNw3YV9B4FS5rv2zZJhckmI0i3fsPaSH/JB5SY8="
  },
  "initialSyncChallengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..XGduFjPOG_a3lzdv.FO7KmAJy1lfS8FfEm00Y54NwtSsOrM9qgI23bkB-YWUxLw8_pmA6SZ17lo7JhFzsZhzMYG0Mlk0_Vx6IIH7xuCxiojitKK5Y77Gh_bm7JMPwFBQEkqtX9WHw7HO0MTRBrARu8cel_o9zKtvjnTqeVcaJCO2o2URSTeqewcWRGP-1FK86FF-FSCwUVShM79i3mPqG5T7Dh0rzZ9qITIU6yj8T.tWHzcNngaPee1yRX03LQmA",
  "manifestHash": "ee61ec093d7678da4ed307f02d4f2c2ff32ed80208befac49140d4bbc920757b",
  "backupAccountId": "backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
  "backupAccountChallengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..xyLF-GI3NKHT1EWn.N8-eHh8lrFlAdIb9Mcz1X5jvTyKBWYU_5px-QQ0MNkg8osFuTxkAr44pg2-8Nkj8luZ7Xs-biYe-ixtZwFUDB9R2eQaTRyX8gy7V4N6j14xp4ZfH4lgvSsJvW2Rqa1Ah8RtUr8FwyAVq8jbTgokIvHm6dN23q8jRzBIEYrFcU20T69KHNdpnHQD7DPmHp-FJx3XTsui6HJraB57HhQJ-QnaI2uY5jVCD3DQ.eLapWO_8M6Db2VjljQA-0Q",
  "backupAccountSignature": "MEQCIDgRaC0c3refNBl3LIJYvvGd1T991Sv9FL3w8WWcffT7AiAmS8/+gAqmdkBb33Q52aafbZpyl1O2qnIdbj3R4PDAvg=="
}`,
  backup: "the first ciphertext",
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
        "createdAt": 1768478400,
        "kind": {
          "kind": "EC_KEYPAIR",
          "publicKey": "BGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU="
        }
      }
    ],
    "syncFactors": [
      {
        "id": "6f1c3d0e-0d1b-4f6e-8d53-0a1f4f6d7c22",
        "createdAt": 1768478400,
        "kind": {
          "kind": "EC_KEYPAIR",
          "publicKey": "BHzyexiNA09+ilI4AwS1GsPAiWnid/IbNaYLSPxHZpl4B3dVENuO0EApPZrGn3Qw27p9reY86YIpngS3nSJ4c9E="
        }
      }
    ],
    "manifestHash": "ee61ec093d7678da4ed307f02d4f2c2ff32ed80208befac49140d4bbc920757b",
    "versions": []
  }
}`,
};
