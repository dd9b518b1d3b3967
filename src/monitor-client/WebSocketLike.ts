/** What is used of a WebSocket: the one of browsers and of Node 22, and the one of the package `ws`, fit. */
export interface WebSocketLike {
  readonly readyState: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  /** Cuts the connection without waiting for the other end, where there is such a thing. */
  terminate?(): void;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
}

export type WebSocketConstructor = new (url: string) => WebSocketLike;

/** The ready state of a connection that can be written to (WHATWG WebSockets, 3.1). */
export const OPEN = 1;

/** The one that comes with the platform; throws a TypeError where there is none, as in Node 20. */
export function platformWebSocket(): WebSocketConstructor {
  const { WebSocket } = globalThis as { WebSocket?: WebSocketConstructor };
  if (WebSocket !== undefined) return WebSocket;
  throw new TypeError(
    'There is no global WebSocket: pass one, new MonitorClient({ WebSocket }), for example from the package ws.',
  );
}
