import type { Example } from "./example.ts";

/** A device asks for a challenge for its sync factor. */
export const syncChallenge: Example = {
  method: "POST",
  path: "/v1/sync/challenge/keypair",
  request: `{}`,
  status: 200,
  response: `{
  "challenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..vdpYvmzrgnb5NXbK.E4hTufrg7A2-DKeQswLVdzJmNTujzbT3I-SAoG5P2vJkET4Cuk8BT1M6p-FJ7t3WwF3xoVCvRaMvN3mncY3QeqGEu-Ijy8BL1Mf5OLQDUh5o4JssVda93LDf40Fuxai4e1e1QzS3rznR40dHA4oNDxCMJuMyYALsA-kVAB_ciF4QpFW_qPoNq7Gz5PRvYhyBVzfO0g88euPlfArAwuUXrA.wgAct3NEmO3Fzxwa_Lsf3Q"
}`,
};

/** The ciphertext and the manifest hash are replaced together. */
export const sync: Example = {
  method: "POST",
  path: "/v1/sync",
  request: `{
  "authorization": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BHzyexiNA09+ilI4AwS1GsPAiWnid/IbNaYLSPxHZpl4B3dVENuO0EApPZrGn3Qw27p9reY86YIpngS3nSJ4c9E=",
    "signature": "MEUCIQDqP5WYyzspOhaehmLTBt7Q5sjyevzMnSzCt4E1sLNboQIgaxSGG5LfkcjRID0MyMCmVHSCx3saR/3ZDtDWZJ3fgZ8="
  },
  "challengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..vdpYvmzrgnb5NXbK.E4hTufrg7A2-DKeQswLVdzJmNTujzbT3I-SAoG5P2vJkET4Cuk8BT1M6p-FJ7t3WwF3xoVCvRaMvN3mncY3QeqGEu-Ijy8BL1Mf5OLQDUh5o4JssVda93LDf40Fuxai4e1e1QzS3rznR40dHA4oNDxCMJuMyYALsA-kVAB_ciF4QpFW_qPoNq7Gz5PRvYhyBVzfO0g88euPlfArAwuUXrA.wgAct3NEmO3Fzxwa_Lsf3Q",
  "currentManifestHash": "ee61ec093d7678da4ed307f02d4f2c2ff32ed80208befac49140d4bbc920757b",
  "newManifestHash": "fba2212523de10170a8a54606f7a63758c8e96f052da6b1625ef7bbd0b382119"
}`,
  backup: "a newer ciphertext",
  status: 200,
  response: `{
  "backupId": "backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
}`,
};
