import { createApiClient } from "./api-client.ts";
import { multipartBody, multipartType, part } from "./multipart-body.ts";
import { head, openConnection } from "./raw-http.ts";
import { createPayload, type User } from "./users.ts";

/** Sends half of the upload that creates a user's backup; resolves when it is being read. */
export async function beginUpload(url: string, user: User) {
  const payload = JSON.stringify(await createPayload(createApiClient({ url }), user));
  const body = multipartBody([part("payload", payload), part("backup", user.backup)]);
  const connection = await openConnection(url);
  const headers = { "content-type": multipartType(), "content-length": body.length };
  await connection.write(head("POST", "/v1/create", headers));
  await connection.write(body.subarray(0, 50_000));
  await fetch(`${url}/health`); // by now the upload is being read
  return {
    async finish() {
      await connection.write(body.subarray(50_000));
      return connection.answer();
    },
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  };
}
