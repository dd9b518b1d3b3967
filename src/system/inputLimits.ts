/**
 * The limits for all input. Every limit applies before the work that it bounds, and anything over it is truncated with
 * a mark or refused with a reason, never dropped silently. docs/guarantees.md has the table.
 */
export const INPUT_LIMITS = {
  /** The text of a message to us, in UTF-16 units: twice what Messages lets a person type. */
  messageText: 40_000,
  /** The same for a sent message: as long as any text that the agent sends (MAX_TEXT_BYTES). */
  ownText: 100_000,
  /** Texts and files of one message that are kept apart; Messages has been seen to write 20. */
  messageParts: 300,
  /** The subject of a message or the name of a group, in characters. */
  messageTitle: 4_000,
  /** `message.attributedBody`, in bytes. */
  messageBody: 1024 * 1024,
  /** The same for a message that is only compared with a neighbouring link. */
  neighbourBody: 256 * 1024,
  /** Bodies and texts of new rows that are read from chat.db in one go, in bytes; one row is read whatever its size. */
  rowBatch: 8 * 1024 * 1024,
  /** What a row says that is read at every look while it waits for what it lacks, in bytes; a larger one rests in between. */
  waitingRow: 64 * 1024,
  /** A guid, handle, address, thread id or the name of a file, in UTF-16 units. */
  identifier: 2_048,
  /** Objects and lists within each other in a command, a frame or a request. */
  nesting: 64,
  /** Objects, lists and commas in the answer to a sync or in one frame; they decide how long it takes to parse. */
  syncPieces: 2_000_000,
  /** The same in any other answer of the backend. */
  answerPieces: 65_536,
  /** One command as JSON without the bytes of its files, in UTF-16 units. */
  command: 1024 * 1024,
  /** Bubbles of one reply. */
  replyBubbles: 200,
  /** Bytes that wait to leave by the socket; beyond it nothing is answered to a ping. */
  socketBacklog: 1024 * 1024,
  /** A configuration file, in UTF-16 units: room for some thousand addresses. */
  configFile: 128 * 1024,
  /** Keys in it, of which it has some hundred: to parse one takes 10 µs and more. */
  configKeys: 2_000,
} as const;
