import type { IncomingMessage } from '../store/incomingRecord.js';
import type { Filtered, PrivacyFilter } from './privacy.js';

/**
 * The body of POST /edge/message. But for the conversation's context it is the same for every retry of a message. With a
 * filter, `text` is left out, and what people wrote (the text, the names of files) is there in its filtered form only.
 */
export function messageBody(
  message: IncomingMessage,
  context: Record<string, unknown> | undefined,
  filter?: PrivacyFilter,
): Record<string, unknown> {
  const sentAt = new Date(message.sentAt).toISOString();
  const fields = new Set<string>();
  const filtered = (text: string): string => {
    if (filter === undefined) return text;
    const { text: rest, fields: found }: Filtered = filter(text);
    for (const field of found) fields.add(field);
    return rest;
  };
  const text = filtered(message.text || whatWasSaid(message));
  const attachments = message.attachments.map(({ guid, mimeType, filename, sizeBytes, transcription }) => ({
    guid,
    mime_type: mimeType,
    filename: filename === null ? null : filtered(filename),
    size_bytes: sizeBytes,
    ...(transcription === undefined ? {} : { transcription: filtered(transcription) }),
  }));
  return {
    message_guid: message.guid,
    thread_id: message.threadId,
    chat_guid: message.chatGuid,
    sender: message.sender,
    filtered_text: text,
    ...(filter === undefined ? { text } : {}),
    original_timestamp: sentAt,
    timestamp: sentAt,
    is_group: message.isGroup,
    mode: message.isGroup ? 'group' : 'direct',
    participants: message.participants,
    service: message.service,
    ...(message.to === undefined ? {} : { to: message.to }),
    was_redacted: fields.size > 0,
    redacted_fields: [...fields],
    ...(message.replyToGuid === null ? {} : { reply_to_guid: message.replyToGuid }),
    ...(attachments.length === 0 ? {} : { attachments }),
    ...(context === undefined ? {} : { context }),
  };
}

/** An audio message says what it says: a backend that reads texts alone understands it too. */
function whatWasSaid({ attachments }: IncomingMessage): string {
  return attachments.flatMap(({ transcription }) => transcription ?? []).join('\n');
}
