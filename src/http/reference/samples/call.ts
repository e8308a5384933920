import type { NamedOperation } from "../../../protocol/named-operations.ts";

/** The service of the samples. The page of the API reference puts its own address there. */
export const SAMPLE_URL = "https://backup.example.com";

/** What a sample shows: the example of an operation. */
export interface Call {
  readonly operation: NamedOperation;
  readonly method: string;
  readonly url: string;
  /** The JSON of the body, or of the part `payload` of an upload; `null` where there is no body. */
  readonly json: string | null;
  /** Whether the ciphertext is sent too, as the part `backup` of a form: the samples read it of a file. */
  readonly isUpload: boolean;
}

/** The file that the samples upload. */
export const SAMPLE_FILE = "backup.bin";
