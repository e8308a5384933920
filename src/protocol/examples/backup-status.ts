import type { Example } from "./example.ts";

/** Any client may ask how a backup can be recovered. */
export const backupStatus: Example = {
  method: "POST",
  path: "/v1/backup/status",
  request: `{
  "backupId": "backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
}`,
  status: 200,
  response: `{
  "backupId": "backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
  "factors": [
    {
      "kind": "EC_KEYPAIR",
      "accountKind": null
    }
  ]
}`,
};
