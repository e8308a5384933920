import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, createServer, type Socket } from "node:net";
import { DRIVERS } from "../drivers.ts";
import { type ApiClient, createApiClient } from "../support/api-client.ts";
import { createFactorKeypair } from "../support/factor-keypair.ts";
import { type Nginx, startNginx } from "../support/nginx.ts";
import { head, openConnection } from "../support/raw-http.ts";
import { startService, type TestService } from "../support/service.ts";
import {
  addSyncFactorRequest,
  metadataOf,
  newManifestHash,
  newUser,
  randomBytes,
  recovered,
  solved,
  syncPayload,
  userWithBackup,
} from "../support/users.ts";

const MIB = 1024 * 1024;
const MAX_BACKUP_BYTES = 15 * MIB;
const CHALLENGES = 200;

const [driver] = DRIVERS; // nothing about a proxy depends on it
if (driver === undefined) throw new Error("there is no driver");

describe("behind nginx as the README configures it", () => {
  let service: TestService;
  let nginx: Nginx;
  let client: ApiClient;
  beforeAll(async () => {
    service = await startService(driver, {
      env: {
        TRUSTED_PROXY_HOPS: "1",
        RATE_LIMITS: "true",
        RATE_LIMIT_ADDRESS_CHALLENGES_PER_MINUTE: `${CHALLENGES}`,
      },
    });
    nginx = await startNginx(service.url);
    client = createApiClient({ url: nginx.url });
  });
  afterAll(async () => {
    await nginx?.[Symbol.asyncDispose]();
    await service?.[Symbol.asyncDispose]();
  });

  test("create, retrieve, add-sync-factor, sync and delete-backup work with the largest backups", async () => {
    const user = await userWithBackup(client, newUser(randomBytes(MAX_BACKUP_BYTES)));
    const first = await recovered(client, user);
    expect(Buffer.from(first.backup, "base64").equals(Buffer.from(user.backup))).toBe(true);

    const phone = createFactorKeypair();
    (await client.addSyncFactor(await addSyncFactorRequest(client, phone, first.syncFactorToken))).ok();
    const next = { ...user, backup: randomBytes(MAX_BACKUP_BYTES), manifestHash: newManifestHash() };
    (await client.sync(await syncPayload(client, user, next.manifestHash), next.backup)).ok();
    const second = await recovered(client, next);
    expect(Buffer.from(second.backup, "base64").equals(Buffer.from(next.backup))).toBe(true);
    expect((await metadataOf(client, user)).syncFactors).toHaveLength(2);

    const deleted = await client.deleteBackup(await solved(client, "delete-backup", phone));
    expect(deleted.status).toBe(204);
    expect((await client.backupStatus({ backupId: user.account.backupAccountId })).status).toBe(404);
  });

  test("TLS ends at the proxy, and headers of the service arrive", async () => {
    const answer = await fetch(`${nginx.tlsUrl}/v1/sync/challenge/keypair`, {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json", "x-request-id": "through-the-proxy" },
      tls: { ca: nginx.certificate },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-request-id")).toBe("through-the-proxy");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  });

  test("an upload that is too large is refused by the service before its body is sent", async () => {
    using connection = await openConnection(nginx.url);
    await connection.write(
      head("POST", "/v1/create", {
        "content-type": "multipart/form-data; boundary=x",
        "content-length": 100 * MIB,
      }),
    );
    const { status, body } = await connection.answer();
    expect([status, JSON.parse(body)]).toMatchObject([413, { error: { code: "content_too_large" } }]);
  });

  test("and also while its body is being sent, ten times out of ten", async () => {
    const statuses = [];
    for (let n = 0; n < 10; n++) {
      const answer = await client.create({}, new Uint8Array(17 * MIB));
      statuses.push([answer.status, answer.code()]);
    }
    expect(statuses).toEqual(Array(10).fill([413, "content_too_large"]));
  });

  test("connections to the service are kept and used again", async () => {
    await using relay = await startRelay(service.url);
    await using through = await startNginx(relay.url);
    const other = createApiClient({ url: through.url });
    const begun = relay.connections();
    for (let n = 0; n < 20; n++) expect((await other.health()).status).toBe(200);
    expect(relay.connections() - begun).toBeLessThanOrEqual(1);
  });

  test("limits count by the address that nginx saw, whatever the client says", async () => {
    const direct = (address: string) =>
      createApiClient({ url: service.url, headers: { "x-forwarded-for": address } }).keypairChallenge("sync");
    let limited = false;
    for (let n = 0; n <= CHALLENGES && !limited; n++) {
      const forged = createApiClient({ url: nginx.url, headers: { "x-forwarded-for": `203.0.113.${n}` } });
      limited = (await forged.keypairChallenge("sync")).status === 429;
    }
    expect(limited).toBe(true);
    expect((await direct("127.0.0.1")).status).toBe(429);
    expect((await direct("203.0.113.1")).status).toBe(200);
  });

  test("while the service is unreachable the proxy responds with an error body", async () => {
    await using away = await startNginx("http://127.0.0.1:9");
    const answer = await createApiClient({ url: away.url }).keypairChallenge("sync");
    expect([answer.status, answer.body]).toMatchObject([
      503,
      { allowRetry: true, error: { code: "service_unavailable" } },
    ]);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-type": "application/json",
      "retry-after": "5",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    });
  });
});

/** Passes connections on to a service and counts them. */
async function startRelay(url: string) {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((incoming) => {
    connections += 1;
    const outgoing = connect(Number(port), hostname);
    for (const socket of [incoming, outgoing]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy()); // as when the other side resets the connection
    }
    incoming.pipe(outgoing).pipe(incoming);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the relay has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
