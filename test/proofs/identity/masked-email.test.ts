import { expect, test } from "bun:test";
import { maskedEmail } from "../../../src/proofs/identity/masked-email.ts";

test.each([
  ["somebody@example.com", "so***@example.com"],
  ["abc@example.com", "ab***@example.com"],
  ["ab@example.com", "ab@example.com"],
  ["a@example.com", "a@example.com"],
  ["éàç@example.com", "éà***@example.com"],
  ["😀😁😂@example.com", "😀😁***@example.com"],
  ["😀😁@example.com", "😀😁@example.com"],
  ["a+b@sub.example.com", "a+***@sub.example.com"],
])("%s is shown as %s", (email, masked) => {
  expect(maskedEmail(email)).toBe(masked);
});

test.each(["", "@", "somebody", "@example.com", "somebody@", "a@b@c", "@@", "a@@b"])(
  "%p, which is no address, is shown as nothing",
  (email) => {
    expect(maskedEmail(email)).toBe("");
  },
);
