import { isIPv4, isIPv6 } from "node:net";

/**
 * The client address that limits count by: that of the connection, or the entry of `x-forwarded-for` that the outermost
 * of our proxies appended. The client itself may have sent the entries to its left, so they are ignored.
 *
 * @param proxyHops how many of our proxies a request passes through; 0 if clients connect directly.
 */
export function clientAddress(peerAddress: string, forwardedFor: string | null, proxyHops: number): string {
  if (proxyHops === 0) return subjectOf(peerAddress);
  const entries = (forwardedFor ?? "").split(",").map((entry) => entry.trim());
  return subjectOf(withoutPort(entries.at(-proxyHops) || peerAddress));
}

/** Some proxies append `address:port`, with IPv6 addresses in brackets. */
function withoutPort(entry: string): string {
  const [, bracketed, plain] = /^\[([^\]]+)\](?::\d+)?$|^([\d.]+):\d+$/.exec(entry) ?? [];
  return bracketed ?? plain ?? entry;
}

/** An IPv6 client has a whole /64 (RFC 6177 §2), so all addresses of one count as one. */
function subjectOf(address: string): string {
  if (isIPv4(address)) return address;
  if (!isIPv6(address)) return "unknown";
  const { hostname } = new URL(`http://[${withoutDots(address.replace(/%.*$/, ""))}]/`);
  const [head = "", tail] = hostname.slice(1, -1).split("::");
  const groups = head === "" ? [] : head.split(":");
  const rest = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = tail === undefined ? 0 : 8 - groups.length - rest.length;
  const all = [...groups, ...Array<string>(missing).fill("0"), ...rest];
  return ipv4In(all) ?? `${all.slice(0, 4).join(":")}::/64`;
}

/** With an IPv4 address at the end as two groups: Bun 1.4 finds no URL in `[1:2:3::a:192.0.2.1]`. */
function withoutDots(address: string): string {
  return address.replace(/[\d.]+\.[\d.]+$/, (dotted) => {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.split(".").map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
}

/** The IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2): otherwise all of them would share one /64. */
function ipv4In(groups: readonly string[]): string | null {
  const [sixth, ...last] = groups.slice(5).map((group) => Number.parseInt(group, 16));
  if (sixth !== 0xffff || groups.slice(0, 5).some((group) => group !== "0")) return null;
  return last.flatMap((group) => [group >> 8, group & 0xff]).join(".");
}
