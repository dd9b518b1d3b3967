import type { AttachmentRow, ChatRow } from './chatRow.js';
import type { ForwardRules, Refusal } from './forwardRules.js';
import type { Awaited, EventPlace } from './judgeRow.js';
import type { LinkNeighbour } from './links.js';
import type { OwnMessage } from './selfChat.js';

/** What stands beside the row, as far as it matters for this one. */
export interface RowNeighbours {
  /** For the preview of a link: other messages of its sender of about the same time, links among them. */
  companions: readonly LinkNeighbour[];
  /** For a direct message to us: what was sent from here in its chat lately. */
  ownMessages: readonly OwnMessage[];
  isAcquainted: boolean;
  isDeleted: boolean;
  /** For a message without a chat: chat.db names a group that it could be of. */
  mayBeOfGroup: boolean;
}

/** What `classify` is told beside the row. */
export interface RowFacts {
  region: string;
  /** Canonical. */
  ownAddresses: ReadonlySet<string>;
  /** Whether a message sent then (Unix ms) is still worth an answer. */
  worthAnswering(sentAt: number): boolean;
  /** When the row was first seen (Unix ms); stands in for a date it has not. */
  seenAt: number;
  /** What this row has waited long enough for: it is taken without it. */
  waitedFor(awaited: Awaited): boolean;
  /** Handles of the row's chat, as written; of a group only. */
  participants: readonly string[];
  /** The files joined so far. */
  attachments: readonly AttachmentRow[];
  neighbours: RowNeighbours;
  /** Whether what came from this address last was what we had just sent there. */
  hasEchoed(address: string): boolean;
  /** Whether several texts came back from this address, and nothing else since: it counts as ours until it says another word. */
  onlyEchoes(address: string): boolean;
  rules: ForwardRules;
}

/** A row of which the sender and the conversation are known. */
export interface Placed extends EventPlace {
  row: ChatRow;
  facts: RowFacts;
}

/** Why the backend may not see this row; `text` is null while only the people matter. */
export function refusal(placed: Placed, text: string | null, hasOneTimeCode: boolean): Refusal | null {
  const { row, facts, conversation, by } = placed;
  return facts.rules.refusal({
    conversation,
    sender: by,
    isFiltered: (row.chatIsFiltered ?? 0) > 0,
    isAcquainted: facts.neighbours.isAcquainted,
    text,
    hasOneTimeCode,
  });
}
