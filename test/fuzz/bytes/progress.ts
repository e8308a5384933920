/** The case that a process runs, in a file that both it and its parent see: it is known even if the process hangs or dies. */
import { readFileSync, writeFileSync } from "node:fs";
import { shown } from "./fuzz-target.ts";

const COUNT_AT = 0;
const LENGTH_AT = 4;
const INPUT_AT = 8;
const MAX_INPUT_BYTES = 8 * 1024;

export interface RunningCase {
  /** 0 before the first case. */
  readonly count: number;
  /** As an expression that makes it. */
  readonly input: string;
}

export function createProgress(path: string): void {
  writeFileSync(path, new Uint8Array(INPUT_AT + MAX_INPUT_BYTES));
}

/** @returns notes a case that begins. */
export function progressWriter(path: string): (count: number, input: Uint8Array) => void {
  const bytes = Bun.mmap(path, { shared: true });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (count, input) => {
    const length = Math.min(input.length, MAX_INPUT_BYTES);
    bytes.set(input.subarray(0, length), INPUT_AT);
    view.setUint32(LENGTH_AT, length);
    view.setUint32(COUNT_AT, count);
  };
}

export function readProgress(path: string): RunningCase {
  const bytes = readFileSync(path);
  const end = INPUT_AT + bytes.readUInt32BE(LENGTH_AT);
  return { count: bytes.readUInt32BE(COUNT_AT), input: shown(bytes.subarray(INPUT_AT, end)) };
}
