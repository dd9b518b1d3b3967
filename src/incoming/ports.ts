import type { MessageRequest } from '../model/agentBodies.js';
import type { PostResult } from '../model/incoming.js';

/** The hooks of a post in progress. */
export interface PostProgress {
  /** All of it was written to an established connection. */
  readonly onWritten: () => void;
  /** It is automatically sent again because its kept-alive connection was closed: it has to be written again. */
  readonly onResend: () => void;
}

/** The backend, as far as incoming messages go. */
export interface MessagePosting {
  /** Posts a message; `guid` is its idempotency key. Never rejects; ends within the request timeout. */
  postMessage(body: MessageRequest, guid: string, progress: PostProgress): Promise<PostResult>;
}
