import { type Call, SAMPLE_FILE } from "./call.ts";

export function curl({ url, json, isUpload }: Call): string {
  if (json === null) return `curl ${url}\n`;
  if (!isUpload)
    return `curl ${url} \\
  -H 'content-type: application/json' \\
  -d ${quoted(json)}
`;
  return `curl ${url} \\
  -F ${quoted(`payload=${json};type=application/json`)} \\
  -F 'backup=@${SAMPLE_FILE};type=application/octet-stream'
`;
}

/** As one word of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
