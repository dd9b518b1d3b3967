/** What the backend made of a posted message. */
export type PostResult =
  | { kind: 'answered'; body: unknown }
  /** It has the message already. */
  | { kind: 'known' }
  /** It will never take this message. */
  | {
      kind: 'rejected';
      status: number;
      detail: string;
      /** What the backend said about it, bounded, on one line. It may repeat the message: not for the log. */
      words?: string;
    }
  /** The agent itself cannot make a post of this message, or nothing of its answer. */
  | { kind: 'unusable'; detail: string }
  | {
      kind: 'retry';
      cause: 'network' | 'timeout' | 'aborted' | 'server' | 'busy' | 'unauthorised' | 'not_found' | 'other';
      status?: number;
      retryAfterMs?: number;
      /** The backend cannot have taken it in: it was not reached. */
      unread?: true;
      detail: string;
      words?: string;
    };

/** What is told of a post under way. */
export interface PostProgress {
  /** All of it was written to an established connection. */
  readonly onWritten: () => void;
  /** It goes out once more by itself, because a kept connection was closed under it: it has to be written again. */
  readonly onResend: () => void;
}

/** The backend, as far as incoming messages go. */
export interface MessagePosting {
  /** Posts a message; `guid` is its idempotency key. Never rejects; ends within the request timeout. */
  postMessage(body: Record<string, unknown>, guid: string, progress: PostProgress): Promise<PostResult>;
}
