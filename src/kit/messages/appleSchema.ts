/** A macOS version whose chat.db can be made. */
export type AppleVersion = 11 | 12 | 13 | 14 | 15 | 26 | 27;

export interface SchemaOptions {
  /** The `sr_…` columns that databases have which went through certain upgrades. */
  srColumns?: boolean;
  /** Columns in another order, as upgraded databases have them. */
  shuffledColumns?: boolean;
}

/** A column, and the first macOS that has it (11 where it is older than what we look at). */
type Column = readonly [definition: string, since?: AppleVersion];

interface Table {
  columns: readonly Column[];
  sr?: readonly string[];
  constraints?: readonly string[];
  since?: AppleVersion;
}

const SR = ['sr_ck_sync_state INTEGER DEFAULT 0', 'sr_ck_record_id TEXT', 'sr_ck_record_change_tag TEXT'];
const KEY = 'ROWID INTEGER PRIMARY KEY AUTOINCREMENT';
const CHAT_ID = 'chat_id INTEGER REFERENCES chat(ROWID) ON DELETE CASCADE';
const MESSAGE_ID = 'message_id INTEGER REFERENCES message(ROWID) ON DELETE CASCADE';

const integers = (names: string, since: AppleVersion = 11): Column[] =>
  names.split(' ').map((name) => [`${name} INTEGER DEFAULT 0`, since]);
const plain = (type: string, names: string, since: AppleVersion = 11): Column[] =>
  names.split(' ').map((name) => [`${name} ${type}`, since]);

/** Apple's tables (docs/facts.md#tables). Tables that only Apple's own bookkeeping uses are left out. */
const TABLES: Readonly<Record<string, Table>> = {
  message: {
    columns: [
      [KEY],
      ['guid TEXT UNIQUE NOT NULL'],
      ...plain('TEXT', 'text'),
      ...integers('replace'),
      ...plain('TEXT', 'service_center'),
      ...integers('handle_id'),
      ...plain('TEXT', 'subject country'),
      ...plain('BLOB', 'attributedBody'),
      ...integers('version type'),
      ...plain('TEXT', 'service account account_guid'),
      ...integers('error'),
      ...plain('INTEGER', 'date date_read date_delivered'),
      ...integers(
        'is_delivered is_finished is_emote is_from_me is_empty is_delayed is_auto_reply is_prepared',
      ),
      ...integers('is_read is_system_message is_sent has_dd_results is_service_message is_forward'),
      ...integers('was_downgraded is_archive cache_has_attachments'),
      ...plain('TEXT', 'cache_roomnames'),
      ...integers('was_data_detected was_deduplicated is_audio_message is_played'),
      ...plain('INTEGER', 'date_played'),
      ...integers('item_type other_handle'),
      ...plain('TEXT', 'group_title'),
      ...integers('group_action_type share_status share_direction is_expirable expire_state'),
      ...integers('message_action_type message_source'),
      ...plain('TEXT', 'associated_message_guid'),
      ...integers('associated_message_type'),
      ...plain('TEXT', 'balloon_bundle_id'),
      ...plain('BLOB', 'payload_data'),
      ...plain('TEXT', 'expressive_send_style_id'),
      ...integers('associated_message_range_location associated_message_range_length'),
      ...plain('INTEGER', 'time_expressive_send_played'),
      ...plain('BLOB', 'message_summary_info'),
      ...integers('ck_sync_state'),
      ...plain('TEXT', 'ck_record_id ck_record_change_tag destination_caller_id'),
      ...integers('is_corrupt'),
      ...plain('TEXT', 'reply_to_guid'),
      ...plain('INTEGER', 'sort_id'),
      ...integers('is_spam has_unseen_mention'),
      ...plain('TEXT', 'thread_originator_guid thread_originator_part'),
      ...plain('TEXT', 'syndication_ranges synced_syndication_ranges', 12),
      ...integers('was_delivered_quietly did_notify_recipient', 12),
      ...plain('INTEGER', 'date_retracted date_edited', 13),
      ...integers('was_detonated', 13),
      ...plain('INTEGER', 'part_count', 13),
      ...integers('is_stewie is_kt_verified is_sos is_critical', 14),
      ...plain('TEXT', 'bia_reference_id fallback_hash', 14),
      ...plain('TEXT', 'associated_message_emoji', 15),
      ...integers('is_pending_satellite_send needs_relay schedule_type schedule_state', 15),
      ...integers('sent_or_received_off_grid', 15),
      ...plain('INTEGER', 'date_recovered', 26),
      ...integers('is_time_sensitive', 26),
      ...plain('TEXT', 'ck_chat_id', 26),
      ...integers('filter_action filter_sub_action is_preview_sent is_preview_delivered retry_count', 27),
      ...plain('INTEGER', 'date_preview_sent date_preview_delivered date_updated', 27),
    ],
    sr: SR,
  },
  chat: {
    columns: [
      [KEY],
      ['guid TEXT UNIQUE NOT NULL'],
      ...plain('INTEGER', 'style state'),
      ...plain('TEXT', 'account_id'),
      ...plain('BLOB', 'properties'),
      ...plain('TEXT', 'chat_identifier service_name room_name account_login'),
      ...integers('is_archived'),
      ...plain('TEXT', 'last_addressed_handle display_name group_id'),
      ...integers('is_filtered'),
      ...plain('INTEGER', 'successful_query'),
      ...plain('TEXT', 'engram_id server_change_token'),
      ...integers('ck_sync_state'),
      ...plain('TEXT', 'original_group_id'),
      ...integers('last_read_message_timestamp'),
      ...plain('TEXT', 'cloudkit_record_id last_addressed_sim_id'),
      ...integers('is_blackholed syndication_date syndication_type', 12),
      ...integers('is_recovered is_deleting_incoming_messages', 14),
      ...integers('is_pending_review', 26),
    ],
    sr: ['sr_server_change_token TEXT', 'sr_ck_sync_state INTEGER DEFAULT 0', 'sr_cloudkit_record_id TEXT'],
  },
  handle: {
    columns: [
      ['ROWID INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE'],
      ['id TEXT NOT NULL'],
      ['country TEXT'],
      ['service TEXT NOT NULL'],
      ['uncanonicalized_id TEXT'],
      ['person_centric_id TEXT'],
    ],
    constraints: ['UNIQUE (id, service)'],
  },
  attachment: {
    columns: [
      [KEY],
      ['guid TEXT UNIQUE NOT NULL'],
      ...integers('created_date start_date'),
      ...plain('TEXT', 'filename uti mime_type'),
      ...integers('transfer_state is_outgoing'),
      ...plain('BLOB', 'user_info'),
      ...plain('TEXT', 'transfer_name'),
      ...integers('total_bytes is_sticker'),
      ...plain('BLOB', 'sticker_user_info attribution_info'),
      ...integers('hide_attachment ck_sync_state'),
      ...plain('BLOB', 'ck_server_change_token_blob'),
      ...plain('TEXT', 'ck_record_id'),
      ['original_guid TEXT UNIQUE NOT NULL'],
      ...integers('is_commsafety_sensitive', 12),
      ...plain('TEXT', 'emoji_image_content_identifier emoji_image_short_description', 15),
      ...integers('preview_generation_state', 26),
    ],
    sr: ['sr_ck_sync_state INTEGER DEFAULT 0', 'sr_ck_record_id TEXT'],
  },
  chat_message_join: {
    columns: [
      [CHAT_ID],
      [MESSAGE_ID],
      ...integers('message_date'),
      ['index_state INTEGER NOT NULL DEFAULT 0', 26],
    ],
    constraints: ['PRIMARY KEY (chat_id, message_id)'],
  },
  chat_handle_join: {
    columns: [[CHAT_ID], ['handle_id INTEGER REFERENCES handle(ROWID) ON DELETE CASCADE']],
    constraints: ['UNIQUE (chat_id, handle_id)'],
  },
  message_attachment_join: {
    columns: [[MESSAGE_ID], ['attachment_id INTEGER REFERENCES attachment(ROWID) ON DELETE CASCADE']],
    constraints: ['UNIQUE (message_id, attachment_id)'],
  },
  deleted_messages: { columns: [['ROWID INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE'], ['guid TEXT NOT NULL']] },
  chat_recoverable_message_join: {
    columns: [[CHAT_ID], [MESSAGE_ID], ['delete_date INTEGER'], ...integers('ck_sync_state')],
    constraints: ['PRIMARY KEY (chat_id, message_id)', 'CHECK (delete_date != 0)'],
    since: 13,
  },
  kvtable: {
    columns: [
      ['ROWID INTEGER PRIMARY KEY AUTOINCREMENT UNIQUE'],
      ['key TEXT UNIQUE NOT NULL'],
      ['value BLOB NOT NULL'],
    ],
  },
  _SqliteDatabaseProperties: { columns: [['key TEXT'], ['value TEXT']], constraints: ['UNIQUE (key)'] },
  chat_lookup: {
    columns: [
      ['identifier TEXT NOT NULL'],
      ['domain TEXT NOT NULL'],
      ['chat INTEGER NOT NULL REFERENCES chat(ROWID) ON UPDATE CASCADE ON DELETE CASCADE'],
      ...integers('priority'),
    ],
    constraints: ['UNIQUE (identifier, domain)'],
    since: 15,
  },
  chat_service: {
    columns: [['service TEXT NOT NULL'], ['chat INTEGER NOT NULL REFERENCES chat(ROWID) ON DELETE CASCADE']],
    constraints: ['UNIQUE (service, chat)'],
    since: 15,
  },
};

/** Apple's DDL for a version, one statement each, in an order that can be executed. */
export function appleSchema(version: AppleVersion, options: SchemaOptions = {}): string[] {
  const has = (since: AppleVersion | undefined) => version >= (since ?? 11);
  const tables = Object.entries(TABLES)
    .filter(([, table]) => has(table.since))
    .map(([name, table]) => {
      const columns = table.columns.filter(([, since]) => has(since)).map(([definition]) => definition);
      const all = [...columns, ...(options.srColumns === true ? (table.sr ?? []) : [])];
      const ordered = options.shuffledColumns === true ? shuffled(all) : all;
      return `CREATE TABLE ${name} (${[...ordered, ...(table.constraints ?? [])].join(', ')})`;
    });
  return [
    ...tables,
    ...APPLE_INDICES.filter(([, since]) => has(since)).map(([sql]) => `CREATE INDEX ${sql}`),
    ...APPLE_TRIGGERS.map((sql) => `CREATE TRIGGER ${sql}`),
  ];
}

/** The same other order every time: the second half before the first, every second one from the end. */
function shuffled(columns: readonly string[]): string[] {
  const even = columns.filter((_, index) => index % 2 === 0);
  const odd = columns.filter((_, index) => index % 2 === 1);
  return [...odd.reverse(), ...even];
}

/** The indices that our queries, or wrong choices of the planner, could use (docs/facts.md#indices). */
const APPLE_INDICES: readonly (readonly [sql: string, since?: AppleVersion])[] = [
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

/** Apple's triggers with effects that a reader sees (docs/facts.md#triggers), less those that call Apple's own functions. */
const APPLE_TRIGGERS: readonly string[] = [
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
