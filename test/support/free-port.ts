/** A port of this machine that nobody listens on, for what has to know its port before it listens. */
export function freePort(): number {
  const [port = 0] = freePorts(1);
  return port;
}

/** So many ports, each another one. */
export function freePorts(count: number): number[] {
  const servers = Array.from({ length: count }, () =>
    Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() }),
  );
  const ports = servers.map(({ port = 0 }) => port);
  for (const server of servers) void server.stop(true);
  return ports;
}
