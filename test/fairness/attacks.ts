/** What one hostile client does, from one address, as fast as it can or as slowly as it can. */

import { challengePath, paths } from "../../src/protocol/paths.ts";
import { systemClock } from "../../src/runtime/clock.ts";
import { createPace, type Pace } from "../../src/runtime/pace.ts";
import { createApiClient } from "../support/api-client.ts";
import { manifestHashOf } from "../support/invariants.ts";
import { multipartBody, multipartType, part } from "../support/multipart-body.ts";
import { chunk, head, openConnection, type RawConnection } from "../support/raw-http.ts";
import {
  createPayload,
  newUser,
  randomBytes,
  recovered,
  solved,
  syncPayload,
  type User,
  userWithBackup,
} from "../support/users.ts";

export interface Target {
  readonly url: string;
  /** Of the hostile client. The limits are those of an address. */
  readonly address: string;
  /** Counts what became of a request, or of a connection. */
  readonly count: (outcome: string | number) => void;
}

/** A real client has a link: that of a fast one, with 1 Gbit/s. The interface of a machine to itself is many times as fast. */
const LINK_BYTES_PER_SECOND = 125_000_000;
const LINK_PIECE_BYTES = 64 * 1024;
const link: Pace = createPace(LINK_BYTES_PER_SECOND / LINK_PIECE_BYTES, systemClock);

/** Prepares an attack, and returns what carries on with it for ever. */
type Attack = (target: Target) => Promise<() => Promise<void>>;

const MIB = 1024 * 1024;
/** Requests of a flood at a time. */
const WIDTH = 64;
/** Connections that are held. Each takes a descriptor of the service and one of the attacker. */
const CONNECTIONS = 400;
const DRIBBLE_MS = 500;
const LARGEST = 15 * MIB;
const BACKUPS = 8;

export const ATTACKS = {
  "flood of challenges": flood(async (target) => () => post(target, challengePath("sync", "keypair"), {})),
  "flood of status requests": flood(async (target) => {
    const { account } = await hostileUser(target, 100);
    return () => post(target, paths.backupStatus, { backupId: account.backupAccountId });
  }),
  "flood of bad proofs": flood(async (target) => {
    const { main } = newUser();
    const body = { ...(await solved(clientOf(target), "verify-factor", main)) };
    const other = main.sign("another challenge");
    return () =>
      post(target, paths.verifyFactor, {
        ...body,
        authorization: { ...body.authorization, signature: other },
      });
  }),
  "flood of bodies that are no JSON": flood(
    async (target) => () => send(target, paths.retrieve, "{".repeat(64_000)),
  ),
  "creates without end": flood(
    async (target) => async () => {
      await hostileUser(target, MIB);
      return 200;
    },
    16,
  ),
  "syncs without end": flood(async (target) => {
    const users = await hostileUsers(target, 256 * 1024);
    let n = 0;
    return async () => {
      const user = users[n++ % users.length] ?? newUser();
      await takeLink(user.backup.length);
      const response = await clientOf(target).sync(
        await syncPayload(clientOf(target), user, user.manifestHash),
        user.backup,
      );
      return response.status;
    };
  }, 16),
  "recoveries of one backup": flood(async (target) => {
    const user = await hostileUser(target, 4 * MIB);
    return async () => {
      await recovered(clientOf(target), user);
      return 200;
    };
  }, 16),
  "recoveries of several backups": flood(async (target) => {
    const users = await hostileUsers(target, 4 * MIB);
    let n = 0;
    return async () => {
      await recovered(clientOf(target), users[n++ % users.length] ?? newUser());
      return 200;
    };
  }, 16),
  "oversized bodies": held(
    async (target) => async (connection, ended) => {
      await connection.write(head("POST", paths.create, upload(target, 1024 * MIB)));
      const piece = randomBytes(MIB);
      for (; !ended(); await Bun.sleep(0)) await connection.write(piece);
    },
    16,
  ),
  "bodies without end": held(
    async (target) => async (connection) => {
      const headers = { "x-forwarded-for": target.address, "transfer-encoding": "chunked" };
      await connection.write(head("POST", "/nowhere", headers));
      let isClosed = false;
      void connection.ended().then(() => {
        isClosed = true;
      });
      const piece = chunk(randomBytes(MIB));
      // whatever the response is; a write to a closed connection ends in the same iteration
      for (; !isClosed; await Bun.sleep(0)) await connection.write(piece);
    },
    16,
  ),
  "headers that dribble": held(async (target) => async (connection, ended) => {
    await connection.write(`POST /v1/create HTTP/1.1\r\nx-forwarded-for: ${target.address}\r\nx: `);
    await dribble(connection, ended);
  }),
  "bodies that dribble": held(async (target) => async (connection, ended) => {
    await connection.write(head("POST", paths.create, upload(target, LARGEST)));
    await dribble(connection, ended);
  }),
  "JSON that dribbles": held(async (target) => async (connection, ended) => {
    await connection.write(head("POST", paths.retrieve, json(target, 10_000)));
    await dribble(connection, ended);
  }),
  "uploads that stall": held(async (target) => async (connection) => {
    await connection.write(head("POST", paths.create, upload(target, LARGEST)));
    await connection.write(randomBytes(MIB));
    await over(connection);
  }),
  "whole uploads that lack the last byte": held(async (target) => {
    const user = newUser(randomBytes(14 * MIB));
    const payload = part("payload", JSON.stringify(await createPayload(clientOf(target), user)));
    const body = multipartBody([payload, part("backup", user.backup)]);
    return async (connection) => {
      await connection.write(head("POST", paths.create, upload(target, body.length)));
      await connection.write(body.subarray(0, -1));
      await over(connection);
    };
  }, 64),
  "recoveries that nobody reads": held(async (target) => {
    const users = await hostileUsers(target, 14 * MIB);
    let n = 0;
    return async (connection) => {
      const user = users[n++ % users.length] ?? newUser();
      const body = JSON.stringify(await solved(clientOf(target), "retrieve", user.main));
      connection.pause();
      await connection.write(head("POST", paths.retrieve, json(target, body.length)) + body);
      await over(connection);
    };
  }, 2 * BACKUPS),
  "clients that vanish": held(async (target) => {
    const user = await hostileUser(target, 4 * MIB);
    return async (connection) => {
      const body = JSON.stringify(await solved(clientOf(target), "retrieve", user.main));
      await connection.write(head("POST", paths.retrieve, json(target, body.length)) + body);
      await Bun.sleep(Math.random() * 100);
    };
  }, 16),
  "connections that stay idle": held(async () => (connection) => over(connection), 1_000),
} as const satisfies Readonly<Record<string, Attack>>;

export type AttackName = keyof typeof ATTACKS;

export function isAttackName(name: string): name is AttackName {
  return Object.hasOwn(ATTACKS, name);
}

/** Sends requests one after the other, `width` at a time. `request` returns the status, or throws. */
function flood(prepare: (target: Target) => Promise<() => Promise<number>>, width = WIDTH): Attack {
  return async (target) => {
    const request = await prepare(target);
    return () =>
      together(width, async () => {
        target.count(await request().catch(outcomeOf));
      });
  };
}

/** A refusal is what the attacker expects. */
function outcomeOf(error: Error): string {
  return / responded with (\d+)/.exec(error.message)?.[1] ?? error.name;
}

type Hold = (connection: RawConnection, ended: () => boolean) => Promise<void>;

/** Holds so many connections, and opens another for each that has ended or has a response. */
function held(prepare: (target: Target) => Promise<Hold>, connections = CONNECTIONS): Attack {
  return async (target) => {
    const hold = await prepare(target);
    return () =>
      together(connections, async () => {
        using opened = await openConnection(target.url);
        const connection = { ...opened, write: (bytes: string | Uint8Array) => throughLink(opened, bytes) };
        let isOver = false;
        void over(connection).then(() => {
          isOver = true;
        });
        await hold(connection, () => isOver).catch(() => {}); // it is gone, or a challenge was refused
        target.count(/^HTTP\/1.1 (\d+)/.exec(connection.received().slice(0, 20))?.[1] ?? "no response");
      });
  };
}

async function throughLink(connection: RawConnection, bytes: string | Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += LINK_PIECE_BYTES) {
    const piece = bytes.slice(at, at + LINK_PIECE_BYTES);
    if (piece.length === LINK_PIECE_BYTES) await link.next(); // a short one takes next to nothing
    await connection.write(piece);
  }
}

/** What a whole request takes of the link. */
async function takeLink(bytes: number): Promise<void> {
  for (let left = bytes; left >= LINK_PIECE_BYTES; left -= LINK_PIECE_BYTES) await link.next();
}

async function over(connection: RawConnection): Promise<void> {
  await Promise.race([
    connection.ended(),
    connection.answer().then(
      () => {},
      () => {},
    ),
  ]); // both end with the connection
}

async function together(width: number, repeated: () => Promise<void>): Promise<void> {
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (;;) await repeated();
    }),
  );
}

async function dribble(connection: RawConnection, ended: () => boolean): Promise<void> {
  for (; !ended(); await Bun.sleep(DRIBBLE_MS)) await connection.write("x");
}

function upload({ address }: Target, length: number) {
  return { "x-forwarded-for": address, "content-type": multipartType(), "content-length": length };
}

function json({ address }: Target, length: number) {
  return { "x-forwarded-for": address, "content-type": "application/json", "content-length": String(length) };
}

function post(target: Target, path: string, body: unknown): Promise<number> {
  return send(target, path, JSON.stringify(body));
}

async function send(target: Target, path: string, body: string): Promise<number> {
  await takeLink(body.length);
  const response = await fetch(target.url + path, {
    method: "POST",
    headers: json(target, Buffer.byteLength(body)),
    body,
  });
  await response.bytes();
  return response.status;
}

function clientOf({ url, address }: Target) {
  return createApiClient({ url, headers: { "x-forwarded-for": address } });
}

async function hostileUser(target: Target, bytes: number): Promise<User> {
  const backup = randomBytes(bytes);
  await takeLink(bytes);
  return await userWithBackup(clientOf(target), { ...newUser(backup), manifestHash: manifestHashOf(backup) });
}

async function hostileUsers(target: Target, bytes: number): Promise<User[]> {
  const users: User[] = [];
  while (users.length < BACKUPS) users.push(await hostileUser(target, bytes));
  return users;
}
