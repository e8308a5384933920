/** What becomes of the connection that a request came over. */

export interface Connection {
  /** Whether the request is still to be answered, or its answer still being sent. */
  isOpen(): boolean;
  /** Closes the connection once nothing can be sent for so many seconds, give or take a few. */
  limitIdle(seconds: number): void;
}

const connections = new WeakMap<Request, Connection>();

export function rememberConnection(request: Request, connection: Connection): void {
  connections.set(request, connection);
}

/** `null` for a request that no listener took. */
export function connectionOf(request: Request): Connection | null {
  return connections.get(request) ?? null;
}
