/** The connection of a request. */

export interface Connection {
  /** Whether the response is not sent completely yet. */
  isOpen(): boolean;
  /** Closes the connection once nothing could be sent for about `seconds`. */
  limitIdle(seconds: number): void;
}

const connections = new WeakMap<Request, Connection>();

export function rememberConnection(request: Request, connection: Connection): void {
  connections.set(request, connection);
}

/** `null` for a request that did not come from a listener. */
export function connectionOf(request: Request): Connection | null {
  return connections.get(request) ?? null;
}
