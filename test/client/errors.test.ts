import { expect, test } from "bun:test";
import { RefusedError, refusedError } from "../../src/client/errors.ts";
import { ERROR_CODES } from "../../src/errors.ts";

test.each(ERROR_CODES)("%s has a class of its own or of its kind", (code) => {
  const refusal = { code, status: 400, allowRetry: false, message: "", retryAfterMs: null, requestId: null };
  expect(refusedError(refusal).constructor).not.toBe(RefusedError);
});
