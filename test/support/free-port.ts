/**
 * The system gives ports from 32768 on to whatever asks for any port, so that a port from there may have a new owner
 * before a program that is starting listens on it. Below, only those who name a port get it.
 */
const [FIRST, LAST] = [12_000, 32_000];
/** Each process begins elsewhere: two that run the tests look for ports at the same time. */
let next = FIRST + ((process.pid * 97) % (LAST - FIRST));

/** A port of this machine that nobody listens on, for what has to know its port before it listens. */
export function freePort(): number {
  for (;;) {
    const port = next;
    next = port + 1 < LAST ? port + 1 : FIRST;
    if (isFree(port)) return port;
  }
}

/** So many ports, each another one. */
export function freePorts(count: number): number[] {
  return Array.from({ length: count }, freePort);
}

function isFree(port: number): boolean {
  try {
    // not only of 127.0.0.1, as programs differ in where they listen
    Bun.listen({ hostname: "0.0.0.0", port, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}
