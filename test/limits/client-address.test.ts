import { describe, expect, test } from "bun:test";
import { clientAddress } from "../../src/limits/client-address.ts";

describe("the address that a request counts for", () => {
  const cases: readonly [
    name: string,
    peer: string,
    forwarded: string | null,
    hops: number,
    address: string,
  ][] = [
    ["the connection's", "192.0.2.1", null, 0, "192.0.2.1"],
    ["the connection's, whatever the client claims", "192.0.2.1", "198.51.100.7", 0, "192.0.2.1"],
    ["IPv4 written as IPv6", "::ffff:192.0.2.1", null, 0, "192.0.2.1"],
    ["IPv4 written as IPv6 in hex", "10.0.0.1", "::FFFF:C000:0201", 1, "192.0.2.1"],
    ["IPv4 written as IPv6 in full", "10.0.0.1", "0:0:0:0:0:ffff:192.0.2.1", 1, "192.0.2.1"],
    ["no IPv4 where the prefix is another", "10.0.0.1", "::1:ffff:c000:201", 1, "0:0:0:0::/64"],
    ["the /64 of an IPv6 address", "2001:db8:1:2:3:4:5:6", null, 0, "2001:db8:1:2::/64"],
    ["the same for its neighbour", "2001:db8:1:2::9", null, 0, "2001:db8:1:2::/64"],
    ["a short one", "::1", null, 0, "0:0:0:0::/64"],
    ["one with a zone", "fe80::1%eth0", null, 0, "fe80:0:0:0::/64"],
    ["one with IPv4 at its end", "10.0.0.1", "1:2:3::a:192.0.2.1", 1, "1:2:3:0::/64"],
    ["what our one proxy saw", "10.0.0.1", "198.51.100.7", 1, "198.51.100.7"],
    [
      "what our proxy saw, not what the client wrote before it",
      "10.0.0.1",
      "203.0.113.9, 198.51.100.7",
      1,
      "198.51.100.7",
    ],
    [
      "what the outer of two proxies saw",
      "10.0.0.1",
      "203.0.113.9, 198.51.100.7, 10.0.0.2",
      2,
      "198.51.100.7",
    ],
    ["the connection's, when a proxy reports nothing", "10.0.0.1", null, 1, "10.0.0.1"],
    [
      "the connection's, when there are fewer entries than proxies",
      "10.0.0.1",
      "198.51.100.7",
      2,
      "10.0.0.1",
    ],
    ["without the port that some proxies write", "10.0.0.1", "198.51.100.7:4711", 1, "198.51.100.7"],
    ["without the port of an IPv6 address", "10.0.0.1", "[2001:db8::1]:4711", 1, "2001:db8:0:0::/64"],
    ["one for all that is no address", "10.0.0.1", "<script>", 1, "unknown"],
  ];
  for (const [name, peer, forwarded, hops, address] of cases)
    test(`is ${name}`, () => {
      expect(clientAddress(peer, forwarded, hops)).toBe(address);
    });
});
