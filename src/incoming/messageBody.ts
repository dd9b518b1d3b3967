import type { MessageRequest } from '../model/agentBodies.js';
import type { IncomingMessage } from '../model/incoming.js';
import { knownParts, storedParts, textsOf } from '../store/incomingRecord.js';
import { filteredTogether, type PrivacyFilter } from './privacy.js';

/** A part of a message as the backend reads it. */
type PostedPart = NonNullable<MessageRequest['parts']>[number];

/**
 * The body of POST /edge/message. But for the conversation's context it is the same for every retry of a message. With a
 * filter, `text` is left out, and what people wrote (the text, its parts, transcriptions, the names of files) is there in its
 * filtered form only: nothing that was taken out of one of them is left in another.
 */
export function messageBody(
  message: IncomingMessage,
  context: Record<string, unknown> | undefined,
  filter?: PrivacyFilter,
): Omit<MessageRequest, 'sequence'> {
  const sentAt = new Date(message.sentAt).toISOString();
  const said = whatIsSaid(message, filter);
  // An audio message says what it says: a backend that reads texts alone understands it too.
  const text = (said.texts.length > 0 ? said.texts : said.transcriptions).join('\n');
  const parts = partsOf(message, said.texts);
  const transcriptions = [...said.transcriptions];
  const attachments = message.attachments.map(({ guid, mimeType, sizeBytes, transcription }, index) => ({
    guid,
    mime_type: mimeType,
    filename: said.filenames[index] ?? null,
    size_bytes: sizeBytes,
    ...(transcription === undefined ? {} : { transcription: transcriptions.shift() ?? '' }),
  }));
  return {
    message_guid: message.guid,
    thread_id: message.threadId,
    chat_guid: message.chatGuid,
    sender: message.sender,
    filtered_text: text,
    ...(filter === undefined ? { text } : {}),
    ...(parts.length === 0 ? {} : { parts }),
    ...(message.wholeLength === undefined ? {} : { truncated: true, original_length: message.wholeLength }),
    original_timestamp: sentAt,
    timestamp: sentAt,
    is_group: message.isGroup,
    mode: message.isGroup ? 'group' : 'direct',
    participants: message.participants,
    service: message.service,
    ...(message.to === undefined ? {} : { to: message.to }),
    was_redacted: said.fields.length > 0,
    redacted_fields: [...said.fields],
    ...(message.replyToGuid === null ? {} : { reply_to_guid: message.replyToGuid }),
    ...(attachments.length === 0 ? {} : { attachments }),
    ...(context === undefined ? {} : { context }),
  };
}

/** What people wrote or said in a message, as the backend may read it. */
interface Said {
  texts: readonly string[];
  transcriptions: readonly string[];
  /** Of each attachment; null where it has none. */
  filenames: readonly (string | null)[];
  fields: readonly string[];
}

function whatIsSaid(message: IncomingMessage, filter: PrivacyFilter | undefined): Said {
  const texts = textsOf(message);
  const transcriptions = message.attachments.flatMap(({ transcription }) => transcription ?? []);
  const filenames = message.attachments.map(({ filename }) => filename);
  if (filter === undefined) return { texts, transcriptions, filenames, fields: [] };
  const names = filenames.map((name) => [name ?? '']);
  const { groups, fields } = filteredTogether(filter, [texts, transcriptions, ...names]);
  const [filteredTexts = [], filteredTranscriptions = [], ...filteredNames] = groups;
  return {
    texts: filteredTexts,
    transcriptions: filteredTranscriptions,
    filenames: filenames.map((name, index) => (name === null ? null : (filteredNames[index]?.[0] ?? ''))),
    fields,
  };
}

/**
 * The parts in order, with these texts instead of their own. Each attachment is there once: in its place, at a place
 * that names no file in the order of the files, or else at the end. A place whose file is not among the attachments is
 * left out. Empty for one text alone, and where the parts are not known.
 */
function partsOf(message: IncomingMessage, texts: readonly string[]): PostedPart[] {
  const known = knownParts(message);
  if (known === undefined || storedParts([...known], message.attachments.length).parts === undefined)
    return [];
  const named = new Set(known.flatMap((part) => (part.type === 'attachment' ? (part.guid ?? []) : [])));
  const guids = message.attachments.map(({ guid }) => guid);
  const waiting = new Set(guids);
  const unnamed = guids.filter((guid) => !named.has(guid));
  // Each is taken in its turn; a shift of a long list would move all of it each time.
  const [nextText, nextUnnamed] = [texts.values(), unnamed.values()];
  const parts = known.flatMap((part): PostedPart[] => {
    if (part.type === 'text') return [{ type: 'text', text: nextText.next().value ?? '' }];
    const guid = part.guid ?? nextUnnamed.next().value;
    return guid !== undefined && waiting.delete(guid) ? [{ type: 'attachment', guid }] : [];
  });
  return [...parts, ...[...waiting].map((guid): PostedPart => ({ type: 'attachment', guid }))];
}
