import type { Example } from "./example.ts";

/** A device asks for a challenge for its sync factor. */
export const deleteBackupChallenge: Example = {
  method: "POST",
  path: "/v1/delete-backup/challenge/keypair",
  request: `{}`,
  status: 200,
  response: `{
  "challenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..xT1exzwqJ_6cEeAD.h9HW9Cve0g2Z6t3C4gw_9FuKBT71hsorMXcde42f671_e02fjSz3OFZk7FkT3BshwBdKm3603HMPDYk-lcqDxWGaeKsdJg1gu3kVfONbckuv-94HusV6H_bsWyGhr-YZ72UFsEOVv1gse0nBjuKeKIK_cHEbK5VcfN2epKToAhrfisbir11QOMS91W8TXLWzgIxiWqzRItH7Vh4aTBQqREM4ycjd_cDlwA.tUVI55BhJSgmFD_4lLooyQ"
}`,
};

/** The sync factor deletes the backup. */
export const deleteBackup: Example = {
  method: "POST",
  path: "/v1/delete-backup",
  request: `{
  "authorization": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BHzyexiNA09+ilI4AwS1GsPAiWnid/IbNaYLSPxHZpl4B3dVENuO0EApPZrGn3Qw27p9reY86YIpngS3nSJ4c9E=",
    "signature": "MEUCIQDqP5WYyzspOhaehmLTBt7Q5sjyevzMnSzCt4E1sLNboQIgaxSGG5LfkcjRID0MyMCmVHSCx3saR/3ZDtDWZJ3fgZ8="
  },
  "challengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..xT1exzwqJ_6cEeAD.h9HW9Cve0g2Z6t3C4gw_9FuKBT71hsorMXcde42f671_e02fjSz3OFZk7FkT3BshwBdKm3603HMPDYk-lcqDxWGaeKsdJg1gu3kVfONbckuv-94HusV6H_bsWyGhr-YZ72UFsEOVv1gse0nBjuKeKIK_cHEbK5VcfN2epKToAhrfisbir11QOMS91W8TXLWzgIxiWqzRItH7Vh4aTBQqREM4ycjd_cDlwA.tUVI55BhJSgmFD_4lLooyQ"
}`,
  status: 204,
  response: null,
};
