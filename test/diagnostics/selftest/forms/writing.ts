import { appleDate } from '../../../../src/kit/messages/AppleDatabase.js';
import type { ChatDbWriter } from '../../../../src/kit/messages/ChatDbWriter.js';
import { encodeSummary } from '../../../../src/kit/messages/SimulatedChatEvents.js';
import { encodeRuns } from '../../../../src/kit/messages/typedstreamEncoder.js';

/** Rows in one form, and whether they agree with an assumption. */
export type Form = readonly [
  id: string,
  result: 'agrees' | 'contradicted' | 'absent',
  form: string,
  write: (messages: ChatDbWriter) => unknown,
];

export const PERSON = '+13105551234';
export const OTHER = '+13105559876';
export const WORDS = 'zebra crossing at noon';
export const LINK = 'https://example.com/zebra';
export const PREVIEW = { balloon_bundle_id: 'com.apple.messages.URLBalloonProvider' };
export const GROUP_ID = '11111111-2222-4333-8444-555555555555';
/** An hour ago, and not at a whole second. */
export const THEN = Math.floor(Date.now() / 1000) * 1000 - 3_600_000 + 123;

/** Received from a person; `at` is ms behind `THEN`. */
export function say(messages: ChatDbWriter, text: string, at: number, columns = {}, from = PERSON) {
  return messages.receive({ from, text, date: THEN + at, columns });
}

export function balloon(messages: ChatDbWriter, at: number, columns = {}) {
  return say(messages, LINK, at, { ...PREVIEW, ...columns });
}

/** Two rows of a group with these names in chat_lookup. */
export function groups(
  messages: ChatDbWriter,
  people: readonly [readonly string[], readonly string[]],
  names: readonly [string, string],
  ids: readonly [string, string] = ['', ''],
) {
  const chats = people.map((participants, at) =>
    messages.groupChat(participants, { groupId: ids[at] ?? '' }),
  );
  for (const name of new Set(names))
    messages.chats.lookUp(
      name,
      chats.filter((_chat, at) => names[at] === name),
    );
  say(messages, 'hello', 0);
}

export const part = (number: number) => [['__kIMMessagePartAttributeName', number] as const];
export const file = (guid: string, number: number) =>
  [
    ['__kIMFileTransferGUIDAttributeName', guid],
    ['__kIMMessagePartAttributeName', number],
  ] as const;

export function inline(messages: ChatDbWriter, mimeType: string): void {
  const message = messages.receive({
    from: PERSON,
    text: 'x',
    date: THEN,
    attachments: [{ guid: 'at_0_A', mimeType }],
  });
  const runs = [
    { text: 'look ', attributes: part(0) },
    { text: '\ufffc', attributes: file('at_0_A', 0) },
  ];
  messages.updateMessage(message.rowId, { text: null, attributedBody: encodeRuns(runs) });
}

export function edited(messages: ChatDbWriter, newest: string): void {
  const versions = [
    { text: 'first', at: THEN },
    { text: newest, at: THEN + 5000 },
  ];
  const { rowId } = say(messages, 'second', 0);
  messages.updateMessage(rowId, {
    date_edited: appleDate(THEN + 5000),
    message_summary_info: encodeSummary({ original: 1, versions: { 0: versions } }),
  });
}
