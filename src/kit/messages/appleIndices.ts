import type { AppleVersion } from './appleSchema.js';

/** The indices that queries of ours, or the planner's mistakes, could meet (macos-facts A.3). */
export const APPLE_INDICES: readonly (readonly [sql: string, since?: AppleVersion])[] = [
  ['message_idx_date ON message(date)'],
  ['message_idx_handle ON message(handle_id, date)'],
  ['message_idx_handle_id ON message(handle_id)'],
  ['message_idx_is_read ON message(is_read, is_from_me, is_finished)'],
  ['message_idx_isRead_isFromMe_itemType ON message(is_read, is_from_me, item_type)'],
  ['message_idx_failed ON message(is_finished, is_from_me, error)'],
  ['message_idx_is_sent_is_from_me_error ON message(is_sent, is_from_me, error)'],
  ['message_idx_associated_message ON message(associated_message_guid)'],
  ['message_idx_thread_originator_guid ON message(thread_originator_guid)'],
  ['message_idx_cache_has_attachments ON message(cache_has_attachments)'],
  ['message_idx_was_downgraded ON message(was_downgraded)'],
  ['message_idx_other_handle ON message(other_handle)'],
  ['message_idx_expire_state ON message(expire_state)'],
  ['message_idx_is_scheduled_message ON message(schedule_type) WHERE schedule_type = 2', 15],
  [
    `message_idx_undelivered_one_to_one_imessage ON message(cache_roomnames, service, is_sent, is_delivered,
      was_downgraded, item_type) WHERE cache_roomnames IS NULL AND service = 'iMessage' AND is_sent = 1
      AND is_delivered = 0 AND was_downgraded = 0 AND item_type = 0`,
  ],
  ['chat_message_join_idx_message_date_id_chat_id ON chat_message_join(chat_id, message_date, message_id)'],
  ['chat_message_join_idx_message_id_only ON chat_message_join(message_id)'],
  ['chat_message_join_idx_chat_id ON chat_message_join(chat_id)'],
  ['chat_message_join_idx_message_date_only ON chat_message_join(message_date)', 26],
  ['chat_idx_chat_identifier ON chat(chat_identifier)'],
  ['chat_idx_chat_identifier_service_name ON chat(chat_identifier, service_name)'],
  ['chat_idx_group_id ON chat(group_id)'],
  ['chat_idx_chat_room_name_service_name ON chat(room_name, service_name)'],
  ['chat_idx_is_archived ON chat(is_archived)'],
  ['handle_idx_id ON handle(id, rowid)', 26],
  ['message_attachment_join_idx_message_id ON message_attachment_join(message_id)'],
  ['message_attachment_join_idx_attachment_id ON message_attachment_join(attachment_id)'],
  ['chat_handle_join_idx_handle_id ON chat_handle_join(handle_id)'],
];

/** Apple's triggers with effects that a reader sees (macos-facts A.4), less those that call Apple's own functions. */
export const APPLE_TRIGGERS: readonly string[] = [
  `update_message_roomname_cache_insert AFTER INSERT ON chat_message_join BEGIN
     UPDATE message SET cache_roomnames = (SELECT group_concat(c.room_name) FROM chat c
       JOIN chat_message_join j ON j.chat_id = c.ROWID WHERE j.message_id = NEW.message_id)
     WHERE message.ROWID = NEW.message_id; END`,
  `set_message_has_attachments AFTER INSERT ON message_attachment_join BEGIN
     UPDATE message SET cache_has_attachments = 1 WHERE message.ROWID = NEW.message_id; END`,
  `update_message_date_after_update_on_message AFTER UPDATE OF date ON message BEGIN
     UPDATE chat_message_join SET message_date = NEW.date
     WHERE message_id = NEW.ROWID AND message_date != NEW.date; END`,
  `update_last_failed_message_date AFTER UPDATE OF error ON message WHEN NEW.error != 0 AND NEW.date > COALESCE(
     (SELECT value FROM kvtable WHERE key = 'lastFailedMessageDate'), 0) BEGIN
     INSERT OR REPLACE INTO kvtable (key, value) VALUES ('lastFailedMessageDate', NEW.date);
     INSERT OR REPLACE INTO kvtable (key, value) VALUES ('lastFailedMessageRowID', NEW.ROWID); END`,
  `add_to_deleted_messages AFTER DELETE ON message BEGIN
     INSERT INTO deleted_messages (guid) VALUES (OLD.guid); END`,
];
