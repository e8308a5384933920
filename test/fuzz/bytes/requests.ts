/** What the service reads of a request before its body: addresses, hosts, paths, and headers of the client. */
import { isIPv4, isIPv6 } from "node:net";
import { clientApp } from "../../../src/http/client-app.ts";
import { pathOf } from "../../../src/http/path.ts";
import { clientAddress } from "../../../src/limits/client-address.ts";
import { createTracing } from "../../../src/telemetry/open-telemetry.ts";
import { ACCEPTED, bytesOf, type Dice, requireThat, type Target, textOf } from "./target.ts";

const PEER = "192.0.2.1";
const HOPS = [1, 1, 2, 3] as const;

/** The client chooses neither the entry that counts nor an address of another form, whatever it sends before it. */
export function addressTarget(read = clientAddress): Target {
  return {
    name: "x-forwarded-for",
    corpus: bytesOf(
      "198.51.100.7",
      "a, 198.51.100.7, 203.0.113.9:443",
      "[2001:db8::1]:443, 2001:db8:1:2:3:4:5:6",
      "::ffff:198.51.100.7, ::ffff:c633:6407, fe80::1%eth0, ::",
    ),
    dictionary: bytesOf(
      ...[",", ", ", ":", "::", "[", "]", "]:1", "%", "%25", "%eth0", ".", "0", "ffff", "::ffff:", "1.2.3.4"],
      ...["198.51.100.7", "2001:db8::", "/64", " ", "\t", "unknown", "é", "00", "256", "0x7f", ",,", "_"],
    ),
    generate: (dice) =>
      Buffer.from(Array.from({ length: 1 + dice.below(4) }, () => address(dice)).join(", ")),
    run(input, dice) {
      const text = textOf(input);
      const hops = dice.of(HOPS);
      const found = read(PEER, text, hops);
      requireThat(/^(?:[0-9a-f]{1,4}:){3}[0-9a-f]{1,4}::\/64$|^unknown$/.test(found) || isIPv4(found), found);
      const entries = text.split(",").map((entry) => entry.trim());
      const entry = entries.at(-hops) || PEER;
      if (isIPv4(entry)) requireThat(found === entry, `${found} for ${entry}`);
      if (isIPv6(entry)) requireThat(found === networkOf(entry), `${found} for ${entry}`);
      if (entries.length >= hops)
        requireThat(read(PEER, `203.0.113.50, ${text}`, hops) === found, "another entry before it counts");
      requireThat(read(PEER, text, 0) === PEER, "counts what a client sent without a proxy");
      return found === "unknown" ? found : ACCEPTED;
    },
  };
}

function address(dice: Dice): string {
  const groups = Array.from({ length: dice.below(9) }, () =>
    dice.below(dice.oneIn(2) ? 2 : 65_536).toString(16),
  );
  groups.splice(dice.below(groups.length + 1), dice.below(3), "");
  const v6 = groups.join(":");
  const v4 = Array.from({ length: 4 }, () => dice.below(dice.oneIn(8) ? 300 : 256)).join(".");
  return dice.of([v6, `:${v6}`, `${v6}:`, `[${v6}]:1`, v4, `${v4}:80`, `::ffff:${v4}`, `::${v4}`]);
}

/** The /64 of an IPv6 address, or the IPv4 address that it is mapped from, by its number. */
function networkOf(text: string): string {
  const hex = text.replace(/%.*$/s, "").replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...parts) => {
    const [a, b, c, d] = parts.map(Number);
    return [`${(Number(a) * 256 + Number(b)).toString(16)}`, (Number(c) * 256 + Number(d)).toString(16)].join(
      ":",
    );
  });
  const [head = "", tail] = hex.split("::").map((side) => side.split(":").filter((group) => group !== ""));
  const first = [...head];
  const last = tail ?? [];
  const all = [...first, ...new Array<string>(8 - first.length - last.length).fill("0"), ...last];
  const number = all.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
  if (number >> 32n === 0xffffn)
    return [24n, 16n, 8n, 0n].map((bits) => `${(number >> bits) & 255n}`).join(".");
  const groups = [112n, 96n, 80n, 64n].map((bits) => ((number >> bits) & 0xffffn).toString(16));
  return `${groups.join(":")}::/64`;
}

/** W3C Trace Context §3.2: the flag of a header counts only if the header is valid. */
export function traceparentTarget(create = createTracing): Target {
  const ignored = { ended() {}, exported() {}, failed() {} };
  const tracing = create(
    {
      url: "http://receiver.example/v1/traces",
      protocol: "http/json",
      headers: {},
      timeoutMs: 1,
      compression: "none",
      resource: {},
      sampling: { followsParent: true, ratio: 0 },
      trustsTraceparent: true,
    },
    ignored,
  );
  const ids = `${"0af7651916cd43dd8448eb211c80319c"}-${"b7ad6b7169203331"}`;
  return {
    name: "traceparent",
    corpus: bytesOf(
      `00-${ids}-01`,
      `00-${ids}-00`,
      `cc-${ids}-01-more`,
      `ff-${ids}-01`,
      `00-${ids}-ff`,
      `00-${ids}-01\v`,
    ),
    dictionary: bytesOf(
      "-",
      "00",
      "ff",
      "01",
      "0".repeat(16),
      "0".repeat(32),
      "A",
      " ",
      "\t",
      "\n",
      "-x",
      "é",
    ),
    run(input) {
      const text = headersOf({ traceparent: Buffer.from(input).toString("latin1") })?.get("traceparent");
      if (text == null) return "no header";
      const span = tracing.start("request", "server", text);
      const isSampled = isSampledBy(text);
      requireThat((span !== null) === isSampled, isSampled ? "was ignored" : "decided though it is invalid");
      return span === null ? "ignored" : ACCEPTED;
    },
  };
}

function isSampledBy(text: string): boolean {
  const [version = "", trace = "", parent = "", flags = "", ...more] = text.split("-");
  const isHex = [version, trace, parent, flags].every((part) => /^[0-9a-f]+$/.test(part));
  const lengths = [version, trace, parent, flags].map(({ length }) => length).join();
  const isTrimmed = text === text.trim();
  const isValid = isTrimmed && isHex && lengths === "2,32,16,2" && /[^0]/.test(trace) && /[^0]/.test(parent);
  const isKnown = version === "00" ? more.length === 0 : version !== "ff";
  return isValid && isKnown && Number.parseInt(flags, 16) % 2 === 1;
}

/** Names and versions of clients are a few characters that can be shown, or nothing. */
export function clientAppTarget(read = clientApp): Target {
  return {
    name: "names of clients",
    corpus: bytesOf("Example App\n1.2.3", "x".repeat(70), "\nversion", " a \u00a0 b \t"),
    dictionary: bytesOf(
      "\u00ad",
      "\u0085",
      "\u007f",
      "\u00a0",
      "\t",
      " ",
      "\n",
      "é",
      "\u0001",
      "x".repeat(64),
    ),
    run(input) {
      // Bun reads each byte of a header as a character
      const [name = "", version = ""] = Buffer.from(input).toString("latin1").split("\n");
      const headers = headersOf({ "client-name": name, "client-version": version });
      if (headers === null) return "no header";
      const found = read(headers);
      if (found === null) return "nothing";
      for (const text of [found.name, found.version])
        requireThat(
          [...text].length <= 64 && !/[\p{C}\p{Zl}\p{Zp}]/u.test(text) && text.trim() === text,
          `shows ${JSON.stringify(text)}`,
        );
      const again = read(new Headers({ "client-name": found.name, "client-version": found.version }));
      requireThat(Bun.deepEquals(again, found), "is another one when it is read again");
      return ACCEPTED;
    },
  };
}

/** `null` where a header cannot have the value. */
export function headersOf(values: Readonly<Record<string, string>>): Headers | null {
  try {
    return new Headers(values);
  } catch {
    return null;
  }
}

/** The path that the router reads is the one that everything else reads. */
export function pathTarget(read = pathOf): Target {
  return {
    name: "request targets",
    corpus: bytesOf(
      "http://a.example/v1/create?x=/../y",
      "https://[::1]:8000/",
      "/v1/create",
      "http://a@b:80/%2e%2e/v1",
    ),
    dictionary: bytesOf(
      ...[
        "/",
        "//",
        "\\",
        "?",
        "#",
        "@",
        ":",
        "%2e",
        "%2f",
        "..",
        "/../",
        "/./",
        "http://",
        "https:",
        " ",
        "\t",
      ],
      ...["%", "%zz", "é", "\u0000", "[", "]", ";", "http:/", "HTTP://", "a.example", "\n", "file:///", "*"],
    ),
    run(input) {
      const url = textOf(input);
      const found = read(url);
      requireThat(read(url, "a.example, b.example") === null, "chose between two hosts");
      if (found === null) return "refused";
      const [path] = /\/[^?]*/s.exec(url.slice("http://".length)) ?? [];
      requireThat(found === path, `read ${found}, not ${path}`);
      requireThat(!/[#?\\\s]|\/\.\.?(\/|$)/.test(found), `let ${found} pass`);
      return ACCEPTED;
    },
  };
}
