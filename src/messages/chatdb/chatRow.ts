/**
 * A row of `message` with its handle and the chat it belongs to, one per message. Times are Unix ms, flags 0 or
 * 1; null is what the row, or this version of the schema, does not have. `chat…` is null while no chat is joined.
 */
export interface ChatRow {
  rowId: number;
  guid: string;
  text: string | null;
  attributedBody: Buffer | null;
  /** The bold line above the text, where its sender writes subjects. */
  subject: string | null;
  service: string | null;
  handle: string | null;
  sentAt: number | null;
  /** `date` in ns since 2001 as decimal text, exact; null where `sentAt` is. */
  date: string | null;
  /** 1: `date` is stored in seconds. */
  datesAreSeconds: number | null;
  isFromMe: number | null;
  /** A message that came in is written finished, one of ours only once Messages is through with it. Null before either column. */
  isFinished: number | null;
  isSent: number | null;
  /** Our addresses as the row has them: the account, as `E:…` or `P:…`, and what the message was sent to or from. */
  account: string | null;
  ownAddress: string | null;
  itemType: number | null;
  groupActionType: number | null;
  groupTitle: string | null;
  /** Whom a change of the group's people is about. */
  otherHandle: string | null;
  associatedType: number | null;
  associatedGuid: string | null;
  associatedEmoji: string | null;
  balloonBundleId: string | null;
  hasAttachments: number | null;
  isEmpty: number | null;
  partCount: number | null;
  editedAt: number | null;
  retractedAt: number | null;
  /** `message_summary_info`, of a row that it says was edited or taken back. */
  summary: Buffer | null;
  isSystemMessage: number | null;
  isServiceMessage: number | null;
  isCorrupt: number | null;
  isSpam: number | null;
  /** Sent by Messages itself, while its owner drives or sleeps. */
  isAutoReply: number | null;
  scheduleType: number | null;
  threadOriginatorGuid: string | null;
  /** The message before it, on nearly every row; of a link's preview, the text that it belongs to. */
  replyToGuid: string | null;
  /** `payload_data` of a link's preview that has no text. */
  payload: Buffer | null;
  /** `cache_roomnames`: its group, as soon as Messages has recorded it. */
  roomName: string | null;
  chatRowId: number | null;
  chatGuid: string | null;
  /** Of a group whose identifier changed: the one by which it was known first. */
  chatIdentifier: string | null;
  chatStyle: number | null;
  chatService: string | null;
  chatIsBlackholed: number | null;
  /** 1, 2: Messages keeps it apart, as of unknown senders or junk. */
  chatIsFiltered: number | null;
}

/** A file of a message. `transferState` 5 is finished; `path` as stored, often with `~`; `hidden` is no file of a person's. */
export interface AttachmentRow {
  guid: string;
  mimeType: string | null;
  filename: string | null;
  path: string | null;
  sizeBytes: number;
  transferState: number | null;
  hidden: number | null;
}
