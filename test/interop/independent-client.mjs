/**
 * A client that shares no code with the service: Node's standard library only, requests written by hand. It calls the
 * operations of a backup at the URL in its first argument, and exits with 1 on any unexpected response. Runs with `node`
 * and with `bun`.
 */
import assert from "node:assert/strict";
import { createHash, createSign, generateKeyPairSync, randomBytes } from "node:crypto";
import { request } from "node:http";

const base = new URL(process.argv[2]);

/** One HTTP exchange; the body goes out byte for byte as given. */
function send(path, body, contentType) {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: base.hostname,
        port: base.port,
        path,
        method: "POST",
        headers: { "Content-Type": contentType, "Content-Length": body.length },
      },
      (incoming) => {
        const chunks = [];
        incoming.on("data", (chunk) => chunks.push(chunk));
        incoming.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          resolve({ status: incoming.statusCode, body: text === "" ? null : JSON.parse(text) });
        });
        incoming.on("error", reject);
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

async function json(path, value, status = 200) {
  const answer = await send(path, Buffer.from(JSON.stringify(value)), "application/json; charset=utf-8");
  assert.equal(answer.status, status, `${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** `order` and `filename` vary, as they do between HTTP libraries. */
async function upload(
  path,
  payload,
  backup,
  { order = ["payload", "backup"], filename = false } = {},
  status = 200,
) {
  const boundary = `----interop${randomBytes(8).toString("hex")}`;
  const content = { payload: Buffer.from(JSON.stringify(payload)), backup };
  const parts = order.map((name) =>
    Buffer.concat([
      Buffer.from(
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${filename ? `; filename="${name}.dat"` : ""}\r\n`,
      ),
      Buffer.from(filename ? "Content-Type: application/octet-stream\r\n\r\n" : "\r\n"),
      content[name],
      Buffer.from("\r\n"),
    ]),
  );
  const body = Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]);
  const answer = await send(path, body, `multipart/form-data; boundary=${boundary}`);
  assert.equal(answer.status, status, `${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** Reads r and s out of a DER signature. */
function integers(der) {
  const values = [];
  for (let at = 2; at < der.length; at += 2 + der[at + 1])
    values.push(BigInt(`0x${der.subarray(at + 2, at + 2 + der[at + 1]).toString("hex")}`));
  return values;
}

function der(values) {
  const encoded = values.map((value) => {
    let hex = value.toString(16);
    if (hex.length % 2 === 1) hex = `0${hex}`;
    if (Number.parseInt(hex[0], 16) >= 8) hex = `00${hex}`;
    return Buffer.concat([Buffer.from([0x02, hex.length / 2]), Buffer.from(hex, "hex")]);
  });
  const whole = Buffer.concat(encoded);
  return Buffer.concat([Buffer.from([0x30, whole.length]), whole]);
}

/** secp256k1 (SEC 2 §2.4.1), implemented here because not every standard library has the curve. */
const P = 2n ** 256n - 2n ** 32n - 977n;
const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const G = [
  0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
];
const mod = (value, modulus) => ((value % modulus) + modulus) % modulus;
function inverse(value, modulus) {
  let [a, b, x, y] = [mod(value, modulus), modulus, 1n, 0n];
  while (b > 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return mod(x, modulus);
}
function add(left, right) {
  if (left === null) return right;
  if (right === null) return left;
  const [[x1, y1], [x2, y2]] = [left, right];
  if (x1 === x2 && y1 !== y2) return null;
  const slope = x1 === x2 ? 3n * x1 * x1 * inverse(2n * y1, P) : (y2 - y1) * inverse(x2 - x1, P);
  const x = mod(slope * slope - x1 - x2, P);
  return [x, mod(slope * (x1 - x) - y1, P)];
}
function times(scalar, point) {
  let sum = null;
  for (let rest = scalar, power = point; rest > 0n; rest >>= 1n, power = add(power, power))
    if (rest & 1n) sum = add(sum, power);
  return sum;
}
const randomScalar = () => (BigInt(`0x${randomBytes(32).toString("hex")}`) % (N - 1n)) + 1n;

/** The account's key, which signs with a low or a high s. */
function accountKey() {
  const secret = randomScalar();
  const [x, y] = times(secret, G);
  return {
    backupAccountId: `backup_account_0${y & 1n ? 3 : 2}${x.toString(16).padStart(64, "0")}`,
    sign(challenge, half) {
      const digest = BigInt(
        `0x${createHash("sha256").update(Buffer.from(challenge, "base64")).digest("hex")}`,
      );
      const nonce = randomScalar();
      const r = times(nonce, G)[0] % N;
      const s = mod(inverse(nonce, N) * (digest + r * secret), N);
      const low = s > N / 2n ? N - s : s;
      return der([r, half === "high" ? N - low : low]).toString("base64");
    },
  };
}

/** A P-256 key, which signs with a low or a high s. */
function keypair() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const { x, y } = publicKey.export({ format: "jwk" });
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
  return {
    publicKey: point.toString("base64"),
    sign(challenge, half) {
      const [r, s] = integers(createSign("sha256").update(Buffer.from(challenge, "base64")).sign(privateKey));
      const low = s > P256_ORDER / 2n ? P256_ORDER - s : s;
      return der([r, half === "high" ? P256_ORDER - low : low]).toString("base64");
    },
  };
}

async function solve(operation, key, half, bound = {}) {
  const { challenge, token } = await json(`/v1/${operation}/challenge/keypair`, bound);
  return {
    authorization: { kind: "EC_KEYPAIR", publicKey: key.publicKey, signature: key.sign(challenge, half) },
    challengeToken: token,
  };
}

for (const half of ["low", "high"])
  for (const style of [{ filename: false }, { filename: true, order: ["backup", "payload"] }]) {
    const account = accountKey();
    const { backupAccountId } = account;
    const main = keypair();
    const phone = keypair();
    const tablet = keypair();
    const hashes = [randomBytes(32).toString("hex"), randomBytes(32).toString("hex").toUpperCase()];
    const contents = [randomBytes(70_001), Buffer.from("\r\n--not a boundary--\r\n\0\xff", "latin1")];

    const joined = await solve("create", phone, half);
    const created = await upload(
      "/v1/create",
      {
        ...(await solve("create", main, half)),
        initialEncryptionKey: { kind: "ICLOUD", encryptedKey: "c2VjcmV0" },
        initialSyncFactor: joined.authorization,
        initialSyncChallengeToken: joined.challengeToken,
        manifestHash: `0x${hashes[0]}`,
        backupAccountId,
        somethingNew: { ignored: true },
      },
      contents[0],
      style,
    );
    assert.equal(created.backupId, backupAccountId);
    assert.equal(created.backupMetadata.manifestHash, hashes[0]);

    const recovered = await json("/v1/retrieve/from-challenge", await solve("retrieve", main, half));
    assert.ok(Buffer.from(recovered.backup, "base64").equals(contents[0]));

    const added = await solve("add-sync-factor", tablet, half);
    await json("/v1/add-sync-factor", {
      syncFactor: added.authorization,
      challengeToken: added.challengeToken,
      syncFactorToken: recovered.syncFactorToken,
    });

    const change = { currentManifestHash: hashes[0], newManifestHash: hashes[1] };
    await upload("/v1/sync", { ...(await solve("sync", tablet, half)), ...change }, contents[1], style);
    const late = await upload(
      "/v1/sync",
      { ...(await solve("sync", phone, half)), ...change },
      contents[0],
      style,
      412,
    );
    assert.equal(late.error.code, "manifest_hash_mismatch");

    assert.deepEqual(await json("/v1/verify-factor", await solve("verify-factor", main, half)), {
      backupId: backupAccountId,
    });
    const metadata = await json("/v1/retrieve-metadata", {
      ...(await solve("retrieve-metadata", tablet, half)),
      backupId: null,
    });
    assert.equal(metadata.manifestHash, hashes[1].toLowerCase());
    const again = await json("/v1/retrieve/from-challenge", await solve("retrieve", main, half));
    assert.ok(Buffer.from(again.backup, "base64").equals(contents[1]));

    const factorId = metadata.syncFactors.find(({ kind }) => kind.publicKey === phone.publicKey).id;
    const removed = await json("/v1/delete-factor", {
      ...(await solve("delete-factor", tablet, half, { factorId })),
      factorId,
      scope: "SYNC",
      encryptionKey: null,
    });
    assert.equal(removed.backupDeleted, false);
    assert.equal(removed.backupMetadata.syncFactors.length, 1);

    if (half === "low") {
      await json("/v1/delete-backup", await solve("delete-backup", tablet, half), 204);
    } else {
      const { challenge, token } = await json("/v1/reset/challenge/keypair", { backupAccountId });
      const request = { backupAccountId, challengeToken: token };
      const refused = await json(
        "/v1/reset",
        { ...request, signature: account.sign(challenge, "high") },
        400,
      );
      assert.equal(refused.error.code, "signature_verification_error");
      await json("/v1/reset", { ...request, signature: account.sign(challenge, "low") }, 204);
    }
    const gone = await json("/v1/backup/status", { backupId: backupAccountId }, 404);
    assert.equal(gone.error.code, "not_found");
  }
process.stdout.write("4 runs passed\n");
