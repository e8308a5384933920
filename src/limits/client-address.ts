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
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  if (isIPv4(mapped)) return mapped;
  if (!isIPv6(address)) return "unknown";
  const { hostname } = new URL(`http://[${address.replace(/%.*$/, "")}]/`);
  const [head = "", tail] = hostname.slice(1, -1).split("::");
  const groups = head === "" ? [] : head.split(":");
  const rest = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = tail === undefined ? 0 : 8 - groups.length - rest.length;
  const all = [...groups, ...Array<string>(missing).fill("0"), ...rest];
  return `${all.slice(0, 4).join(":")}::/64`;
}
