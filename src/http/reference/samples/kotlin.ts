import { type Call, SAMPLE_FILE } from "./call.ts";

const JSON_TYPE = '"application/json".toMediaType()';

export function kotlin({ url, json, isUpload }: Call): string {
  const imports = [
    ...(json === null ? [] : ["okhttp3.MediaType.Companion.toMediaType"]),
    ...(isUpload ? ["okhttp3.MultipartBody"] : []),
    "okhttp3.OkHttpClient",
    "okhttp3.Request",
    ...(isUpload ? ["okhttp3.RequestBody.Companion.asRequestBody"] : []),
    ...(json === null ? [] : ["okhttp3.RequestBody.Companion.toRequestBody"]),
  ];
  return `${isUpload ? "import java.io.File\n" : ""}${imports.map((name) => `import ${name}`).join("\n")}

fun main() {
${body(json, isUpload)}    val request = Request.Builder().url("${url}")${json === null ? "" : ".post(body)"}.build()
    OkHttpClient().newCall(request).execute().use { response ->
        println("\${response.code} \${response.body?.string()}")
    }
}
`;
}

function body(json: string | null, isUpload: boolean): string {
  if (json === null) return "";
  const payload = `    val payload = """
        ${rawString(json).replaceAll("\n", "\n        ")}
    """.trimIndent()
`;
  if (!isUpload) return `${payload}    val body = payload.toRequestBody(${JSON_TYPE})\n`;
  return `${payload}    val ciphertext = File("${SAMPLE_FILE}").asRequestBody("application/octet-stream".toMediaType())
    val body = MultipartBody.Builder()
        .setType(MultipartBody.FORM)
        .addFormDataPart("payload", null, payload.toRequestBody(${JSON_TYPE}))
        .addFormDataPart("backup", "${SAMPLE_FILE}", ciphertext)
        .build()
`;
}

/** Raw strings have templates and no escapes. */
function rawString(text: string): string {
  return text.replaceAll("$", `\${'$'}`);
}
