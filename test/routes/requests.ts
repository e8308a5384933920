/** What every route promises about the shape of its request. */
import { describe, expect, test } from "bun:test";
import type { ApiClient, ApiResponse, RequestBody } from "../support/api-client.ts";
import type { TestService } from "../support/service.ts";

const KIB = 1024;

/** What is wrong with a request: members in the place of its own (`undefined` leaves one out), or a function of it. */
export type Change<
  Request,
  Rest extends readonly unknown[] = [],
  Result = RequestBody | Promise<RequestBody>,
> = { readonly [member: string]: unknown } | ((request: Request, ...rest: Rest) => Result);

/** A request that does not fit, and the place that the answer names. */
export type Mutation = readonly [name: string, change: Change<RequestBody, [], unknown>, pointer: string];

/** A request that is refused, and its answer. */
export type Refusal<Request = RequestBody, Rest extends readonly unknown[] = []> = readonly [
  name: string,
  change: Change<Request, Rest>,
  status: number,
  code: string,
];

/** The request with a change. */
export function changed<Request extends RequestBody, Rest extends readonly unknown[], Result>(
  request: Request,
  change: Change<Request, Rest, Result>,
  ...rest: Rest
): Result | RequestBody {
  return typeof change === "function" ? change(request, ...rest) : { ...request, ...change };
}

const inside =
  (name: string, change: Mutation[1]): Mutation[1] =>
  (body) => ({ ...body, [name]: changed(body[name] as RequestBody, change) });

/** A label of this many UTF-16 units. */
export const long = (length: number): string => "x".repeat(length);

/** Wrong values of a member that holds an authorization, with the place that the answer names. */
export function authorizationMutations(member: string): readonly Mutation[] {
  const at = `/${member}`;
  const google = { kind: "GOOGLE", token: "t" };
  return [
    [`without ${member}`, { [member]: undefined }, at],
    [`with ${member} null`, { [member]: null }, at],
    [`with ${member} a text`, { [member]: "EC_KEYPAIR" }, at],
    [`with ${member} a list`, { [member]: [] }, at],
    [`with ${member} of no kind`, inside(member, { kind: undefined }), at],
    [`with ${member} of an unknown kind`, inside(member, { kind: "PASSWORD" }), at],
    [`with ${member} of a kind in lower case`, inside(member, { kind: "ec_keypair" }), at],
    [`without the key of ${member}`, inside(member, { publicKey: undefined }), `${at}/publicKey`],
    [`with the key of ${member} null`, inside(member, { publicKey: null }), `${at}/publicKey`],
    [`without the signature of ${member}`, inside(member, { signature: undefined }), `${at}/signature`],
    [`with the signature of ${member} a number`, inside(member, { signature: 1 }), `${at}/signature`],
    [
      `with the key of ${member} over 4 KiB`,
      inside(member, { publicKey: long(4 * KIB + 1) }),
      `${at}/publicKey`,
    ],
    [
      `with the signature of ${member} over 4 KiB`,
      inside(member, { signature: long(4 * KIB + 1) }),
      `${at}/signature`,
    ],
    [
      `with ${member} a passkey without credential`,
      inside(member, () => ({ kind: "PASSKEY" })),
      `${at}/credential`,
    ],
    [
      `with ${member} a passkey whose credential is over 16 KiB`,
      inside(member, () => ({ kind: "PASSKEY", credential: { a: long(16 * KIB + 1 - '{"a":""}'.length) } })),
      `${at}/credential`,
    ],
    [
      `with ${member} a passkey whose label is over 256 characters`,
      inside(member, () => ({ kind: "PASSKEY", credential: {}, label: long(257) })),
      `${at}/label`,
    ],
    [
      `with ${member} an account whose id_token is over 8 KiB`,
      inside(member, { kind: "OIDC_ACCOUNT", oidcToken: { ...google, token: long(8 * KIB + 1) } }),
      `${at}/oidcToken/token`,
    ],
    [
      `with ${member} an account of an unknown provider`,
      inside(member, { kind: "OIDC_ACCOUNT", oidcToken: { ...google, kind: "META" } }),
      `${at}/oidcToken`,
    ],
    [
      `with ${member} an account without key`,
      inside(member, ({ signature }) => ({ kind: "OIDC_ACCOUNT", oidcToken: google, signature })),
      `${at}/publicKey`,
    ],
  ];
}

/** Authorizations of which one member is as long as it may be: no proof, but well-formed. */
const LONGEST: readonly (readonly [name: string, authorization: RequestBody])[] = [
  ["a key of 4 KiB", { kind: "EC_KEYPAIR", publicKey: long(4 * KIB), signature: "" }],
  ["a signature of 4 KiB", { kind: "EC_KEYPAIR", publicKey: "", signature: long(4 * KIB) }],
  ["a credential of 16 KiB", { kind: "PASSKEY", credential: { a: long(16 * KIB - '{"a":""}'.length) } }],
  ["a label of 256 characters", { kind: "PASSKEY", credential: {}, label: long(256) }],
  [
    "an id_token of 8 KiB",
    {
      kind: "OIDC_ACCOUNT",
      oidcToken: { kind: "APPLE", token: long(8 * KIB), aud: long(4 * KIB) },
      publicKey: "",
      signature: "",
    },
  ],
];

/** Wrong values of a member that holds a token. */
export function tokenMutations(member: string): readonly Mutation[] {
  return [
    [`without ${member}`, { [member]: undefined }, `/${member}`],
    [`with ${member} null`, { [member]: null }, `/${member}`],
    [`with ${member} an object`, { [member]: {} }, `/${member}`],
    [`with ${member} over 32 KiB`, { [member]: long(32 * KIB + 1) }, `/${member}`],
  ];
}

const WHOLES: readonly Mutation[] = [
  ["that is null", () => null, "the whole value"],
  ["that is a list", () => [], "the whole value"],
  ["that is a text", () => "text", "the whole value"],
  ["that is a number", () => 7, "the whole value"],
];

type Valid = (client: ApiClient) => Promise<RequestBody>;

const OF_PROOF: readonly Mutation[] = [
  ...authorizationMutations("authorization"),
  ...tokenMutations("challengeToken"),
];

/** A body that does not fit is 422 and the answer names the place; members that nobody knows are let through. */
export function jsonRequestContract(
  service: () => TestService,
  path: string,
  valid: Valid,
  mutations: readonly Mutation[] = OF_PROOF,
): void {
  requestContract(service, `a request to ${path}`, valid, [...WHOLES, ...mutations], {
    status: 422,
    prefix: "",
    send: (client, body) => client.send({ method: "POST", path, response: null }, body),
  });

  describe(`a request to ${path}`, () => {
    test("may name members of JavaScript objects, which are members like any others", async () => {
      const { client } = service();
      const body = JSON.stringify(await valid(client));
      const hostile = `{"__proto__":{"authorization":null},"constructor":{"prototype":{}},${body.slice(1)}`;
      const headers = { "content-type": "application/json; charset=utf-8" };
      const answer = await client.exchange(
        { method: "POST", path, response: null },
        { body: hostile, headers },
      );
      expect(answer.status).toBeLessThan(300);
    });
  });
}

/** The same for the part `payload` of a multipart route, where it is 400. */
export function payloadContract(
  service: () => TestService,
  path: string,
  valid: Valid,
  mutations: readonly Mutation[],
): void {
  requestContract(service, `the payload of ${path}`, valid, [...WHOLES, ...mutations], {
    status: 400,
    prefix: "In the part payload, ",
    send: (client, body) => client.send({ method: "POST", path, response: null }, body, new Uint8Array(10)),
  });
}

interface Sending {
  readonly status: number;
  readonly prefix: string;
  send(client: ApiClient, body: unknown): Promise<ApiResponse<unknown>>;
}

function requestContract(
  service: () => TestService,
  name: string,
  valid: Valid,
  mutations: readonly Mutation[],
  { status, prefix, send }: Sending,
): void {
  describe(name, () => {
    let shared: RequestBody | null = null; // one request for all: no refusal uses it up
    for (const [what, change, pointer] of mutations)
      test(`${what} is refused with the place named`, async () => {
        const { client } = service();
        shared ??= await valid(client);
        const answer = await send(client, changed(shared, change));
        const { error } = answer.body as { error: { code: string; message: string } };
        expect([answer.status, error.code]).toEqual([status, "invalid_payload"]);
        expect(error.message).toStartWith(`${prefix}${pointer}: `);
        expect(error.message.length).toBeLessThan(200);
      });

    const members = mutations.flatMap(
      ([what]) => /^without (authorization|syncFactor)$/.exec(what)?.[1] ?? [],
    );
    for (const member of members)
      for (const [what, authorization] of LONGEST)
        test(`with ${what} in ${member} is handled like any other`, async () => {
          const { client } = service();
          shared ??= await valid(client);
          const answer = await send(client, { ...shared, [member]: authorization });
          expect(answer.status).toBe(400);
          expect(answer.code()).not.toBe("invalid_payload");
        });

    test("may have unknown members, at every level", async () => {
      const { client } = service();
      const answer = await send(client, withUnknownMembers(await valid(client)));
      expect(answer.status).toBeLessThan(300);
    });
  });
}

/** Adds a member to each object. */
function withUnknownMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withUnknownMembers);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [name, withUnknownMembers(member)]);
  return { ...Object.fromEntries(members), unknownMember: { nested: [1, null] } };
}
