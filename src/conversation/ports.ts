/** What the backend made of a posted message. */
export type PostResult =
  | { kind: 'answered'; body: unknown }
  /** It has the message already. */
  | { kind: 'known' }
  /** It will never take this message. */
  | { kind: 'rejected'; status: number; detail: string }
  | {
      kind: 'retry';
      cause: 'network' | 'timeout' | 'server' | 'busy' | 'unauthorised' | 'not_found' | 'other';
      status?: number;
      retryAfterMs?: number;
      /** The backend cannot have taken it in: it was not reached. */
      unread?: true;
      detail: string;
    };

/** The backend, as far as incoming messages go. */
export interface MessagePosting {
  /**
   * Posts a message; `guid` is its idempotency key. Never rejects; ends within the request timeout. `onResend` is called right
   * before the same post goes out once more, because a kept connection was closed under it.
   */
  postMessage(body: Record<string, unknown>, guid: string, onResend: () => void): Promise<PostResult>;
  /** When any request of ours last succeeded, Unix ms. */
  lastSuccessAt(): number | undefined;
}
