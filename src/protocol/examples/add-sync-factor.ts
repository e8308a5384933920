import type { Example } from "./example.ts";

/** A device that has just recovered the backup asks for a challenge for its new sync factor. */
export const addSyncFactorChallenge: Example = {
  method: "POST",
  path: "/v1/add-sync-factor/challenge/keypair",
  request: `{}`,
  status: 200,
  response: `{
  "challenge": "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8=",
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..g6YjyFWZAB2cF7uC.O_eDBqzIAsSG6zY3BGkQqLRZmfKVBxInKbcJzv_g0ovSsP9_olrrK5flPbYTS9fJk1jHDS8-KslqKeCVycpYVZmTgHesBQpf6XrJjvOKPJ49PlMFl8nqofzKiEjvg5j9oujzGvu_INdwmOO4Wk4Oaj4mlpQzSByvoY_j_oLJuOBVcFGPpiqRpE7Tcgl6Er9MhECv9tNT7Xnt23ifeR3II6-IOm2eoGRpq1It.JhedjDpczY-87MfUr7v_9Q"
}`,
};

/** The new keypair signs the challenge; `syncFactorToken` came with the recovered backup. */
export const addSyncFactor: Example = {
  method: "POST",
  path: "/v1/add-sync-factor",
  request: `{
  "challengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..g6YjyFWZAB2cF7uC.O_eDBqzIAsSG6zY3BGkQqLRZmfKVBxInKbcJzv_g0ovSsP9_olrrK5flPbYTS9fJk1jHDS8-KslqKeCVycpYVZmTgHesBQpf6XrJjvOKPJ49PlMFl8nqofzKiEjvg5j9oujzGvu_INdwmOO4Wk4Oaj4mlpQzSByvoY_j_oLJuOBVcFGPpiqRpE7Tcgl6Er9MhECv9tNT7Xnt23ifeR3II6-IOm2eoGRpq1It.JhedjDpczY-87MfUr7v_9Q",
  "syncFactor": {
    "kind": "EC_KEYPAIR",
    "publicKey": "BOJTSjUy0I+7oC3eZZ7mK9ADH+LbeFWW71CTAkRrAwhS4PFXWkxjPMcZ3+5f2oYtdk78lsPzDuAFXELCPxhO2MY=",
    "signature": "MEYCIQD/7x+IxjzkfhP1BIUQYMXzFnx9A9Hzg3uacxGPjYsqEwIhAKcUbWkGd4nqJmEPKX/sJpm5CFOzN/ofiGW49aNlr6jS"
  },
  "syncFactorToken": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"
}`,
  status: 200,
  response: `{
  "backupId": "backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
}`,
};
