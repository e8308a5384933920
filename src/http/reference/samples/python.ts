import { type Call, SAMPLE_FILE } from "./call.ts";

export function python(call: Call): string {
  return `${call.isUpload ? "import json\n\n" : ""}import requests

response = requests.${call.method.toLowerCase()}(
    "${call.url}",
${body(call)}    timeout=60,
)
print(response.status_code, response.text)
`;
}

function body({ json, isUpload }: Call): string {
  if (json === null) return "";
  if (!isUpload) return `    json=${literal(json, "    ")},\n`;
  return `    files={
        "payload": (None, json.dumps(${literal(json, "        ")}), "application/json"),
        "backup": ("${SAMPLE_FILE}", open("${SAMPLE_FILE}", "rb"), "application/octet-stream"),
    },
`;
}

const WORDS: Readonly<Record<string, string>> = { true: "True", false: "False", null: "None" };

/** A string of JSON is one of Python; three words are not. */
function literal(json: string, indentation: string): string {
  const value = JSON.stringify(JSON.parse(json), null, 4);
  return value
    .replace(/"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b/g, (token) => WORDS[token] ?? token)
    .replaceAll("\n", `\n${indentation}`);
}
