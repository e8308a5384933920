import { type Call, SAMPLE_FILE } from "./call.ts";

export function swift(call: Call): string {
  return `import Foundation

var request = URLRequest(url: URL(string: "${call.url}")!)
${body(call)}
let (data, response) = try await URLSession.shared.data(for: request)
let status = (response as? HTTPURLResponse)?.statusCode
print(status ?? 0, String(decoding: data, as: UTF8.self))
`;
}

function body({ method, json, isUpload }: Call): string {
  if (json === null) return `request.httpMethod = "${method}"\n`;
  const start = `request.httpMethod = "${method}"
let payload = #"""
${json}
"""#
`;
  if (!isUpload)
    return `${start}request.setValue("application/json", forHTTPHeaderField: "content-type")
request.httpBody = Data(payload.utf8)
`;
  return `${start}let boundary = UUID().uuidString
let head = [
    "--\\(boundary)",
    #"content-disposition: form-data; name="payload""#,
    "content-type: application/json",
    "",
    payload,
    "--\\(boundary)",
    #"content-disposition: form-data; name="backup"; filename="${SAMPLE_FILE}""#,
    "content-type: application/octet-stream",
    "\\r\\n",
].joined(separator: "\\r\\n")
let ciphertext = try Data(contentsOf: URL(fileURLWithPath: "${SAMPLE_FILE}"))
request.setValue("multipart/form-data; boundary=\\(boundary)", forHTTPHeaderField: "content-type")
request.httpBody = Data(head.utf8) + ciphertext + Data("\\r\\n--\\(boundary)--\\r\\n".utf8)
`;
}
