import { isIPv4, isIPv6 } from "node:net";

/**
 * The address a request counts for: that of the connection, or the one that the proxies in front of the service
 * report in `x-forwarded-for`. Only as many entries as there are proxies of ours are believed, counted from the end:
 * what is further left was written by the client.
 *
 * @param proxyHops how many proxies of ours a request passes; 0 when clients connect directly.
 */
export function clientAddress(peerAddress: string, forwardedFor: string | null, proxyHops: number): string {
  if (proxyHops === 0) return subjectOf(peerAddress);
  const entries = (forwardedFor ?? "").split(",").map((entry) => entry.trim());
  return subjectOf(withoutPort(entries.at(-proxyHops) || peerAddress));
}

/** Some proxies write `address:port`, IPv6 then in brackets. */
function withoutPort(entry: string): string {
  const [, bracketed, plain] = /^\[([^\]]+)\](?::\d+)?$|^([\d.]+):\d+$/.exec(entry) ?? [];
  return bracketed ?? plain ?? entry;
}

/** An IPv6 client has a whole /64 at its disposal (RFC 6177 §2), so that is what counts. */
function subjectOf(address: string): string {
  if (isIPv4(address)) return address;
  if (!isIPv6(address)) return "unknown";
  const { hostname } = new URL(`http://[${address.replace(/%.*$/, "")}]/`);
  const [head = "", tail] = hostname.slice(1, -1).split("::");
  const groups = head === "" ? [] : head.split(":");
  const rest = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = tail === undefined ? 0 : 8 - groups.length - rest.length;
  const all = [...groups, ...Array<string>(missing).fill("0"), ...rest];
  return ipv4In(all) ?? `${all.slice(0, 4).join(":")}::/64`;
}

/** The IPv4 address that is written as an IPv6 one (RFC 4291 §2.5.5.2), or all of them would count as one. */
function ipv4In(groups: readonly string[]): string | null {
  const [sixth, ...last] = groups.slice(5).map((group) => Number.parseInt(group, 16));
  if (sixth !== 0xffff || groups.slice(0, 5).some((group) => group !== "0")) return null;
  return last.flatMap((group) => [group >> 8, group & 0xff]).join(".");
}
