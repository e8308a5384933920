/** The bucket that is created, and what is taken for one with our settings. */
import { describe, expect, test } from "bun:test";
import { failureOf } from "../../support/failure-of.ts";
import { refused, responding, s3Refusal } from "../../support/scripted-aws.ts";
import { KMS_KEY, setupModel } from "./setup-model.ts";

const { stored, instead, requests, writes, ...model } = await setupModel();

/** The bucket and its settings come first. */
const run = (options: { readonly checkOnly?: boolean; readonly region?: string } = {}) =>
  model.run({ first: 5, ...options });

const stateOf = async (what: string): Promise<string | undefined> =>
  (await run({ checkOnly: true })).find((finding) => finding.what === what)?.state;

/** The first element of that name, without its name. */
function element(name: string, text = ""): string {
  return new RegExp(`<${name}[^>]*>(.*?)</${name}>`, "s").exec(text)?.[1] ?? "";
}

test("the bucket is made with its settings", async () => {
  await run();
  expect(element("VersioningConfiguration", stored.get("versioning"))).toBe("<Status>Enabled</Status>");
  const access = element("PublicAccessBlockConfiguration", stored.get("publicAccessBlock"));
  expect(access.match(/<\w+>true</g)).toHaveLength(4);
  const encryption = element("Rule", stored.get("encryption"));
  expect(encryption).toContain(`<KMSMasterKeyID>${KMS_KEY}</KMSMasterKeyID>`);
  expect(encryption).toContain("<SSEAlgorithm>aws:kms</SSEAlgorithm>");
  expect(encryption).toContain("<BucketKeyEnabled>true</BucketKeyEnabled>");
});

test.each([
  ["eu-central-1", "eu-central-1"],
  ["xx-newest-1", "xx-newest-1"],
  ["us-east-1", ""], // S3's default, which it does not accept by name
])("the bucket is made in %s", async (region, named) => {
  await run({ region });
  expect(element("LocationConstraint", stored.get("bucket"))).toBe(named);
});

test("a bucket that another process of ours has made is configured", async () => {
  instead.set("PUT bucket", s3Refusal(409, "BucketAlreadyOwnedByYou"));
  expect((await run()).slice(0, 2)).toEqual([
    { what: "the bucket bucket", state: "created" },
    { what: "versioning of bucket", state: "created" },
  ]);
});

test("a bucket of others is refused", async () => {
  instead.set("HEAD bucket", responding(403));
  expect(await failureOf(run())).toMatchObject({
    cause: {
      message: "the bucket bucket belongs to another account, or the credentials may not use it",
      cause: { $metadata: { httpStatusCode: 403 } },
    },
  });
  instead.set("HEAD bucket", responding(405));
  expect(await failureOf(run())).toMatchObject({
    message: "the bucket bucket, status 405",
    cause: { $metadata: { httpStatusCode: 405 } },
  });
  expect(writes()).toEqual([]);
});

test.each(["versioning", "publicAccessBlock", "lifecycle", "encryption"])(
  "what S3 does not say about %s is not written",
  async (setting) => {
    instead.set(`GET ${setting}`, refused);
    expect(await failureOf(run())).toBeInstanceOf(Error);
    expect(requests().at(-1)).toBe(`GET ${setting}`);
  },
);

test("a bucket is versioned unless that is suspended", async () => {
  await run();
  stored.set("versioning", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>");
  expect(await stateOf("versioning of bucket")).toBe("missing");
});

test("a bucket is closed to the public only where nothing is left open", async () => {
  await run();
  const closed = stored.get("publicAccessBlock") ?? "";
  for (const name of ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]) {
    stored.set("publicAccessBlock", closed.replace(`<${name}>true`, `<${name}>false`));
    expect(await stateOf("no public access to bucket")).toBe("missing");
  }
});

describe("lifecycle rules", () => {
  const what = "lifecycle rules of bucket";
  const rules = () => stored.get("lifecycle") ?? "";
  const change = (from: string | RegExp, to: string) => {
    const before = rules();
    stored.set("lifecycle", before.replace(from, to));
    expect(rules()).not.toBe(before);
  };

  test("delete what an upload has left, and old versions after seven days", async () => {
    await run();
    const written = rules().match(/<Rule>.*?<\/Rule>/gs) ?? [];
    expect(written.map((rule) => element("ID", rule))).toEqual([
      "backup-service-incomplete-uploads",
      "backup-service-noncurrent-versions",
    ]);
    for (const rule of written) {
      expect(rule).toContain("<Status>Enabled</Status>");
      expect(rule).toContain("<Filter><Prefix></Prefix></Filter>");
    }
    expect(written[0]).toContain("<DaysAfterInitiation>1</DaysAfterInitiation>");
    expect(written[1]).toContain("<NoncurrentDays>7</NoncurrentDays>");
    expect(written[1]).toContain("<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>");
  });

  test.each<[string, string | RegExp, string]>([
    ["other days until an upload is over", "<DaysAfterInitiation>1<", "<DaysAfterInitiation>3<"],
    ["other days for old versions", "<NoncurrentDays>7<", "<NoncurrentDays>30<"],
    ["a filter that leaves nothing out", /<Filter>.*?<\/Filter>/gs, "<Filter></Filter>"],
    ["a prefix in the place of a filter", /<Filter>.*?<\/Filter>/gs, "<Prefix></Prefix>"],
    ["no filter", /<Filter>.*?<\/Filter>/gs, ""],
  ])("are ours with %s", async (_name, from, to) => {
    await run();
    change(from, to);
    expect(await stateOf(what)).toBe("present");
  });

  test.each<[string, string | RegExp, string]>([
    ["one less", /<Rule>.*?<\/Rule>/s, ""],
    ["one that is disabled", "<Status>Enabled<", "<Status>Disabled<"],
    ["one for other objects", "<Prefix></Prefix>", "<Prefix>logs/</Prefix>"],
    [
      "one that deletes current objects",
      "<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>",
      "<Days>1</Days>",
    ],
    ["another prefix in the place of a filter", /<Filter>.*?<\/Filter>/s, "<Prefix>logs/</Prefix>"],
  ])("are not ours with %s, and are replaced", async (_name, from, to) => {
    await run();
    const ours = rules();
    change(from, to);
    expect(await run()).toContainEqual({ what, state: "created" });
    expect(rules()).toBe(ours);
  });

  test("of others are kept, before ours", async () => {
    await run();
    const ours = rules();
    const theirs =
      "<Rule><Status>Enabled</Status><Expiration><Days>7</Days></Expiration><ID>theirs</ID><Filter><Prefix>logs/</Prefix></Filter></Rule>";
    stored.set("lifecycle", `<LifecycleConfiguration>${theirs}</LifecycleConfiguration>`);
    await run();
    expect(rules()).toBe(ours.replace("<Rule>", `${theirs}<Rule>`));
    expect(await stateOf(what)).toBe("present");
  });
});

test.each([
  ["another key", KMS_KEY, "arn:aws:kms:eu-west-1:111122223333:key/2"],
  ["a call to the key service for each object", "<BucketKeyEnabled>true", "<BucketKeyEnabled>false"],
])("a bucket is not encrypted as configured with %s", async (_name, from, to) => {
  await run();
  stored.set("encryption", (stored.get("encryption") ?? "").replace(from, to));
  expect(await stateOf(`encryption of bucket with ${KMS_KEY}`)).toBe("missing");
});
