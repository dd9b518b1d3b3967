import type { Columns } from '../../../src/kit/messages/AppleDatabase.js';
import type { ChatDbWriter } from '../../../src/kit/messages/ChatDbWriter.js';
import type { SimulatedChat } from '../../../src/kit/messages/SimulatedChats.js';
import { archivedBody } from '../../../src/kit/messages/SimulatedIncoming.js';
import { bodyOf, summaryOf } from './bodies.js';
import type { Chance } from './Chance.js';
import { hostileText, hostileValue } from './hostile.js';

type Value = Columns[string];

/** Writes one row, with what belongs to it, as one commit of Messages. */
export type RowItem = (chatDb: ChatDbWriter) => void;

const SENDERS = ['+13105551234', '+13105550199', 'ann@example.com', '12345', '+13105550100'] as const;

/** What a column may contain where its type is not enforced. */
function odd(chance: Chance): Value {
  switch (chance.below(7)) {
    case 0:
      return null;
    case 1:
      return chance.pick([0, 1, -1, 2, 2 ** 31, 0.5, 1e300]);
    case 2:
      return chance.pick([9_223_372_036_854_775_807n, -9_223_372_036_854_775_808n, 1n, 0n]);
    case 3:
      return Buffer.from(hostileText(chance, chance.below(100)));
    default:
      return hostileText(chance);
  }
}

const NUMBERS = [0, 1, 2, 3, 5, 43, 45, 2000, 2001, 2006, 3000, 3005, 4000, -1] as const;
/** Columns that decide what a row is. */
const KINDS = [
  ...[
    'item_type',
    'group_action_type',
    'associated_message_type',
    'is_empty',
    'is_from_me',
    'is_finished',
    'error',
  ],
  ...['is_system_message', 'is_service_message', 'is_corrupt', 'is_spam', 'is_auto_reply', 'schedule_type'],
  ...['part_count', 'cache_has_attachments', 'is_audio_message', 'is_sent', 'is_delivered'],
] as const;
const TEXTS = [
  ...['text', 'subject', 'service', 'account', 'destination_caller_id', 'associated_message_guid'],
  ...['balloon_bundle_id', 'thread_originator_guid', 'reply_to_guid', 'group_title', 'cache_roomnames'],
  ...['associated_message_emoji', 'attributedBody', 'message_summary_info', 'payload_data'],
] as const;
const DATES = ['date', 'date_edited', 'date_retracted', 'date_read'] as const;
const BALLOONS = [
  'com.apple.messages.URLBalloonProvider',
  'com.apple.messages.MSMessageExtensionBalloonPlugin:0:x',
] as const;

/** The columns of a message, with some that are not what they should be. */
function columnsOf(chance: Chance, salt: string): Columns {
  const columns: Record<string, Value> = {
    guid: chance.oneIn(60) ? `${salt}${hostileText(chance)}` : `fuzz-${salt}`,
    service: 'iMessage',
    account: 'E:operator@example.com',
    is_finished: 1,
    is_from_me: chance.oneIn(15) ? 1 : 0,
    part_count: 1,
    attributedBody: chance.oneIn(40) ? null : bodyOf(chance),
    text: chance.oneIn(2) ? null : hostileText(chance),
  };
  if (chance.oneIn(6)) {
    columns.message_summary_info = summaryOf(chance);
    columns.date_edited = 786_000_000_000_000_000n;
  }
  if (chance.oneIn(12)) columns.balloon_bundle_id = chance.pick(BALLOONS);
  if (chance.oneIn(8)) {
    columns.associated_message_type = chance.pick([2000, 2001, 2006, 3001, 3]);
    columns.associated_message_guid = `p:${chance.below(3)}/${chance.oneIn(2) ? 'fuzz-1' : hostileText(chance, 40)}`;
  }
  for (let left = chance.below(5); left > 0; left -= 1)
    columns[chance.pick(KINDS)] = chance.oneIn(4) ? odd(chance) : chance.pick(NUMBERS);
  if (chance.oneIn(3)) columns[chance.pick(TEXTS)] = odd(chance);
  if (chance.oneIn(6))
    columns[chance.pick(DATES)] = chance.oneIn(2)
      ? odd(chance)
      : chance.pick([0n, -1n, 700_000_000n, 999_999_999_999_999_999n]);
  return columns;
}

/** A chat of this database: a normal one, or one with names that do not exist. */
function chatOf(chance: Chance, chatDb: ChatDbWriter, salt: string): SimulatedChat | undefined {
  if (chance.oneIn(60)) return undefined;
  if (chance.oneIn(15))
    return chatDb.groupChat([chance.pick(SENDERS), `${salt}${hostileText(chance, 60)}`], {
      name: hostileText(chance),
      identifier: `${salt}${hostileText(chance, 40)}`,
      filtered: chance.pick(NUMBERS),
    });
  return chatDb.directChat(chance.oneIn(40) ? `${salt}${hostileText(chance, 60)}` : chance.pick(SENDERS));
}

/** A row, or a message as Messages writes it with hostile texts and files. To archive a text is no work of the agent. */
export function rowOf(chance: Chance, salt: string): RowItem {
  if (chance.oneIn(4)) {
    const parts = chance.oneIn(3)
      ? chance.times(1 + chance.below(chance.oneIn(30) ? 400 : 6), () => hostileText(chance))
      : undefined;
    const message = {
      from: chance.pick(SENDERS),
      guid: `fuzz-${salt}`,
      ...(parts === undefined ? { text: hostileText(chance) } : { parts }),
      ...(chance.oneIn(5)
        ? { columns: { subject: hostileText(chance), thread_originator_guid: hostileText(chance, 30) } }
        : {}),
      attachments: chance.times(chance.oneIn(3) ? chance.below(5) : 0, (index) => ({
        guid: `at_${index}_${salt}`,
        name: hostileText(chance, 1 + chance.below(60)),
        mimeType: chance.oneIn(2) ? 'image/jpeg' : hostileText(chance, 30),
        transcription: chance.oneIn(4) ? hostileText(chance) : null,
      })),
    };
    const archived = archivedBody(message);
    return (chatDb) => void chatDb.receive({ ...message, archived });
  }
  const columns = columnsOf(chance, salt);
  const sender = chance.oneIn(30) ? `${salt}${hostileText(chance, 50)}` : chance.pick(SENDERS);
  return (chatDb) =>
    chatDb.inOneCommit(() => {
      const handle = chance.oneIn(25) ? 0 : chatDb.handle(sender);
      chatDb.insertMessage({ handle_id: handle, ...columns }, chatOf(chance, chatDb, salt));
    });
}

/** What the backend answers a message with: mostly no reply. */
export function answerOf(chance: Chance): string {
  if (!chance.oneIn(10)) return '{"reply_text":null}';
  return JSON.stringify({
    reply_bubbles: hostileValue(chance),
    should_respond: hostileValue(chance),
    reply_text: null,
  });
}
