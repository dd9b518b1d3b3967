import type { IncomingMessage } from '../store/incoming.js';

/** The body of POST /edge/message. But for the conversation's context it is the same for every retry of a message. */
export function messageBody(
  message: IncomingMessage,
  context: Record<string, unknown> | undefined,
): Record<string, unknown> {
  const sentAt = new Date(message.sentAt).toISOString();
  return {
    message_guid: message.guid,
    thread_id: message.threadId,
    chat_guid: message.chatGuid,
    sender: message.sender,
    filtered_text: message.text,
    text: message.text,
    original_timestamp: sentAt,
    timestamp: sentAt,
    is_group: message.isGroup,
    mode: message.isGroup ? 'group' : 'direct',
    participants: message.participants,
    service: message.service,
    was_redacted: false,
    redacted_fields: [],
    ...(message.replyToGuid === null ? {} : { reply_to_guid: message.replyToGuid }),
    ...(message.attachments.length === 0
      ? {}
      : {
          attachments: message.attachments.map(({ guid, mimeType, filename, sizeBytes }) => ({
            guid,
            mime_type: mimeType,
            filename,
            size_bytes: sizeBytes,
          })),
        }),
    ...(context === undefined ? {} : { context }),
  };
}
