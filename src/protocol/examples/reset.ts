import type { Example } from "./example.ts";

/** The owner of the account key asks for a challenge. The token is bound to the account id. */
export const resetChallenge: Example = {
  method: "POST",
  path: "/v1/reset/challenge/keypair",
  request: `{
  "backupAccountId": "backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
}`,
  status: 200,
  response: `{
  "challenge": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
  "token": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..FZEcmyCLxHoHP1xU.FDzm6yojVI70VDckeTvL5gr7f_HLZD5Uxg91Nlqv1HdgenCpRD9q8hiXLCKPii3f5cEjB4UnX2cCC2K0wBIR92c6ye-h4UrqBi0C81iTkvn8WkClwIzLvca6msLOynukY_I6feSjGmy3OqxRvrAJlJFbDXfiRIYeR8KpthCqi0Mo7l1r43D4g59477N9ibuovBJZYSGS1GRRrGhsZeuFHlOOlIx18bVLlAapMWuwm8VDlDcWHtu-AyIosPlfdyrZ2i9fy_rY-M3DjrNCrEc1RkFnZikcsnwjcWdwB9yCaGBkPVCjvbh6tmj9F48hPgkslJRhnVShIqYSDEktFSds1HKs5NEU9Q.qCfjvHg_5MukMTIhOgqzSg"
}`,
};

/** The account key deletes everything under its id. */
export const reset: Example = {
  method: "POST",
  path: "/v1/reset",
  request: `{
  "backupAccountId": "backup_account_0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
  "signature": "MEQCIAhn8r9bXX3zmUtt2ZwM9uLaNDH5lJ6K/MOx9q+Kr5KPAiATe5Rljp0sgvl7aHEcnmquYgiiW3YzKGIsThl64VkKig==",
  "challengeToken": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoiZXhhbXBsZSJ9..FZEcmyCLxHoHP1xU.FDzm6yojVI70VDckeTvL5gr7f_HLZD5Uxg91Nlqv1HdgenCpRD9q8hiXLCKPii3f5cEjB4UnX2cCC2K0wBIR92c6ye-h4UrqBi0C81iTkvn8WkClwIzLvca6msLOynukY_I6feSjGmy3OqxRvrAJlJFbDXfiRIYeR8KpthCqi0Mo7l1r43D4g59477N9ibuovBJZYSGS1GRRrGhsZeuFHlOOlIx18bVLlAapMWuwm8VDlDcWHtu-AyIosPlfdyrZ2i9fy_rY-M3DjrNCrEc1RkFnZikcsnwjcWdwB9yCaGBkPVCjvbh6tmj9F48hPgkslJRhnVShIqYSDEktFSds1HKs5NEU9Q.qCfjvHg_5MukMTIhOgqzSg"
}`,
  status: 204,
  response: null,
};
