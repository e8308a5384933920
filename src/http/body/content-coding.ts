import { ServiceError } from "../../errors.ts";

export class UnsupportedCoding extends ServiceError {
  constructor() {
    super("unsupported_media_type", "Send the body without content-encoding");
    this.name = "UnsupportedCoding";
  }
}

/** @throws UnsupportedCoding where the body has a content coding other than `identity` (RFC 9110 §8.4, §15.5.16). */
export function requireNoCoding({ headers }: Request): void {
  const codings = (headers.get("content-encoding") ?? "").split(",").map((coding) => coding.trim());
  if (!codings.every((coding) => coding === "" || coding.toLowerCase() === "identity"))
    throw new UnsupportedCoding();
}
