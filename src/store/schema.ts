/**
 * The steps that make a store, oldest first; `user_version` counts those done. Forward only: a step that has
 * shipped is never edited. Times are Unix milliseconds. Every query that runs while the agent works has an index,
 * so that none grows with history.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

  -- One row per command_id ever received; the last ack stays with it.
  CREATE TABLE commands (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    command_id TEXT NOT NULL UNIQUE,
    command_type TEXT NOT NULL,
    body TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    via TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'done')),
    ack TEXT,
    revision INTEGER NOT NULL DEFAULT 0,
    acked_at INTEGER
  );
  CREATE INDEX commands_open ON commands (seq) WHERE state = 'open';
  CREATE INDEX commands_done ON commands (acked_at) WHERE state = 'done';
  CREATE INDEX commands_with_body ON commands (acked_at) WHERE state = 'done' AND body <> '';

  -- The outbox: what the backend must still be told. A row leaves when the backend provably read it.
  CREATE TABLE acks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    command_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
  );
  CREATE INDEX acks_command_id ON acks (command_id);
  CREATE INDEX acks_created_at ON acks (created_at);
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    event_type TEXT NOT NULL,
    thread_id TEXT,
    details TEXT NOT NULL,
    created_at INTEGER NOT NULL
  );
  CREATE INDEX events_created_at ON events (created_at);

  -- Incoming messages by chat.db guid. 'open' until the backend answered or it is no longer worth an answer.
  CREATE TABLE incoming (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    guid TEXT NOT NULL UNIQUE,
    conversation TEXT NOT NULL,
    message TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state = 'open' OR state = 'answered' OR state = 'parked' OR state = 'expired'),
    attempts INTEGER NOT NULL DEFAULT 0,
    first_posted_at INTEGER,
    sends_before INTEGER,
    retry_at INTEGER NOT NULL DEFAULT 0,
    strikes INTEGER NOT NULL DEFAULT 0,
    first_strike_at INTEGER,
    last_error TEXT,
    settled_at INTEGER
  );
  CREATE INDEX incoming_open ON incoming (conversation, sent_at, seq) WHERE state = 'open';
  CREATE INDEX incoming_conversation ON incoming (conversation);
  CREATE INDEX incoming_expired ON incoming (seq) WHERE state = 'expired';
  CREATE INDEX incoming_parked ON incoming (seq) WHERE state = 'parked';
  CREATE INDEX incoming_settled_at ON incoming (settled_at) WHERE settled_at IS NOT NULL;

  -- How far chat.db has been read, and the rows before that point that were not complete yet.
  CREATE TABLE chatdb_cursor (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    generation TEXT NOT NULL,
    row_id INTEGER NOT NULL,
    guid TEXT
  );
  CREATE TABLE chatdb_pending (row_id INTEGER PRIMARY KEY, first_seen_at INTEGER NOT NULL);

  -- The send ledger: every text that was ever to go out. Order in a conversation's lane is (place, seq).
  CREATE TABLE sends (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    place INTEGER NOT NULL,
    conversation TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    text TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role = 'message' OR role = 'first' OR role = 'bubble' OR role = 'reflex'),
    priority INTEGER NOT NULL,
    pause_ms INTEGER NOT NULL,
    command_id TEXT,
    schedule_id TEXT,
    answers TEXT,
    created_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (
      state = 'queued' OR state = 'attempting' OR state = 'confirming' OR state = 'sent' OR state = 'staging' OR
      state = 'waiting' OR state = 'failed' OR state = 'unknown' OR state = 'deduplicated'),
    not_before INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    resends INTEGER NOT NULL DEFAULT 0,
    form INTEGER NOT NULL DEFAULT 0,
    tag TEXT,
    generation TEXT,
    after_row INTEGER,
    attempted_at INTEGER,
    ended_at INTEGER,
    watch_until INTEGER,
    twin_key TEXT,
    twin INTEGER,
    guid TEXT,
    service TEXT,
    error_code TEXT,
    error TEXT,
    settled_at INTEGER,
    told INTEGER NOT NULL DEFAULT 0,
    life_until INTEGER,
    -- The parts of one request (a long text, a text with files): its id, and the place of this one, from 1.
    part_of TEXT,
    part INTEGER NOT NULL DEFAULT 0,
    -- A file instead of a text: where it is staged, where it is fetched from until then, whether the copy still lies there.
    file TEXT,
    source TEXT,
    staged INTEGER NOT NULL DEFAULT 0
  );
  CREATE UNIQUE INDEX sends_guid ON sends (guid) WHERE guid IS NOT NULL;
  CREATE INDEX sends_part_of ON sends (part_of, part) WHERE part_of IS NOT NULL;
  CREATE INDEX sends_staging ON sends (seq) WHERE state = 'staging';
  CREATE INDEX sends_staged ON sends (seq) WHERE staged = 1;
  CREATE INDEX sends_life_until ON sends (life_until) WHERE life_until IS NOT NULL;
  CREATE INDEX sends_lane ON sends (conversation, place, seq)
    WHERE (state = 'queued' OR state = 'attempting' OR state = 'confirming' OR state = 'staging');
  CREATE INDEX sends_twin_key ON sends (twin_key, role, seq) WHERE twin_key IS NOT NULL;
  CREATE INDEX sends_twin ON sends (twin) WHERE twin IS NOT NULL;
  CREATE INDEX sends_watched ON sends (watch_until) WHERE watch_until IS NOT NULL;
  CREATE INDEX sends_reflexes ON sends (conversation, seq) WHERE role = 'reflex';
  -- Partial, so that SQLite takes it for nothing but the question that says so.
  CREATE INDEX sends_written_to ON sends (conversation) WHERE created_at > 0;
  CREATE INDEX sends_unproven ON sends (conversation) WHERE tag IS NOT NULL AND guid IS NULL;
  CREATE INDEX sends_attempting ON sends (seq) WHERE state = 'attempting';
  CREATE INDEX sends_settled_at ON sends (settled_at) WHERE settled_at IS NOT NULL;

  CREATE TABLE schedule (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    schedule_id TEXT NOT NULL UNIQUE,
    command_id TEXT NOT NULL UNIQUE,
    conversation TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    text TEXT NOT NULL,
    priority INTEGER NOT NULL,
    send_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'failed', 'cancelled')),
    error TEXT,
    settled_at INTEGER,
    files TEXT
  );
  CREATE INDEX schedule_files ON schedule (seq) WHERE state = 'pending' AND files IS NOT NULL;
  CREATE INDEX schedule_due ON schedule (send_at, seq) WHERE state = 'pending';
  CREATE INDEX schedule_send_at ON schedule (send_at);
  CREATE INDEX schedule_state ON schedule (state, send_at);
  CREATE INDEX schedule_settled_at ON schedule (settled_at) WHERE settled_at IS NOT NULL;

  -- Which way of addressing a conversation worked where the best one did not.
  CREATE TABLE target_forms (conversation TEXT PRIMARY KEY, form TEXT NOT NULL, learnt_at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX target_forms_learnt_at ON target_forms (learnt_at);

  -- Whom we wrote to within the last hour although chat.db knew no conversation with them.
  CREATE TABLE new_recipients (conversation TEXT PRIMARY KEY, written_at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX new_recipients_written_at ON new_recipients (written_at);

  -- Incoming files that the backend is to get, by chat.db's guid. 'open' until it has the file or it is given up.
  CREATE TABLE uploads (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    attachment_guid TEXT NOT NULL UNIQUE,
    message_guid TEXT NOT NULL,
    message TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    retry_at INTEGER NOT NULL DEFAULT 0,
    queued_at INTEGER NOT NULL,
    error TEXT,
    settled_at INTEGER
  );
  CREATE INDEX uploads_open ON uploads (retry_at, seq) WHERE state = 'open';
  CREATE INDEX uploads_message ON uploads (message_guid);
  CREATE INDEX uploads_settled_at ON uploads (settled_at) WHERE settled_at IS NOT NULL;

  -- What a backend keeps with a conversation, sent along with its next messages.
  CREATE TABLE contexts (conversation TEXT PRIMARY KEY, body TEXT NOT NULL, updated_at INTEGER NOT NULL) WITHOUT ROWID;

  -- Where nothing goes out until somebody resumes it; '*' is everywhere.
  CREATE TABLE pauses (
    conversation TEXT PRIMARY KEY,
    reason TEXT NOT NULL CHECK (reason IN ('manual', 'operator', 'loop')),
    since INTEGER NOT NULL
  ) WITHOUT ROWID;

  -- What of chat.db was told as an event, so that it is told once however often its row is read.
  CREATE TABLE told (key TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX told_at ON told (at);

  -- When we ('agent') or the backend ('backend') were down: time that a message's age does not count.
  CREATE TABLE outages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    what TEXT NOT NULL CHECK (what IN ('agent', 'backend')),
    began_at INTEGER NOT NULL,
    ended_at INTEGER
  );
  CREATE INDEX outages_ended_at ON outages (ended_at);
  `,
  `
  -- When and by which channel ('websocket', 'http') the backend provably read the command's newest ack.
  ALTER TABLE commands ADD COLUMN ack_read_at INTEGER;
  ALTER TABLE commands ADD COLUMN ack_read_via TEXT;

  -- 1: what comes in waits as well.
  ALTER TABLE pauses ADD COLUMN incoming INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- How many of its attempts cannot have been read, all of them before the first that can.
  ALTER TABLE incoming ADD COLUMN unread_attempts INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- Links to the monitor that were exchanged for a session: each is good once. made_at is Unix ms.
  CREATE TABLE used_links (id TEXT PRIMARY KEY, made_at REAL NOT NULL) WITHOUT ROWID;
  CREATE INDEX used_links_made_at ON used_links (made_at);
  `,
  `
  -- Since when a row that waits lacks nothing but the certainty whether it went out; null: it lacks more.
  ALTER TABLE chatdb_pending ADD COLUMN complete_at INTEGER;
  `,
  `
  -- How two sides of a conversation answered each other lately (hashes and times): whether machines do. at is Unix ms.
  CREATE TABLE exchanges (conversation TEXT PRIMARY KEY, body TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX exchanges_at ON exchanges (at);
  `,
  `
  -- The chat in which the message came that a text answers: where a person has several, the answer goes by that one.
  ALTER TABLE sends ADD COLUMN chat_guid TEXT;

  -- Other names of a group whose identifier changed. Everything is kept under the name by which it was known first.
  CREATE TABLE conversation_aliases (alias TEXT PRIMARY KEY, conversation TEXT NOT NULL, noted_at INTEGER NOT NULL) WITHOUT ROWID;
  `,
  `
  -- Which message a reflex that names none is assumed to answer. Those of messages that are open now: the oldest.
  ALTER TABLE sends ADD COLUMN assumed TEXT;
  UPDATE sends SET assumed = (
    SELECT guid FROM incoming
    WHERE state = 'open' AND incoming.conversation = sends.conversation AND sends_before < sends.seq
    ORDER BY sent_at, incoming.seq LIMIT 1
  ) WHERE role = 'reflex' AND answers IS NULL AND twin IS NULL
    AND NOT EXISTS (SELECT 1 FROM sends AS bubble WHERE bubble.twin = sends.seq AND bubble.role = 'first');
  -- What took the place of a text that failed is no duplicate any more.
  UPDATE sends SET twin = NULL
    WHERE twin IS NOT NULL AND state IN ('queued', 'attempting', 'confirming', 'staging');

  DROP INDEX sends_twin_key;
  CREATE INDEX sends_in_words ON sends (twin_key, answers, seq) WHERE twin_key IS NOT NULL;
  CREATE INDEX incoming_settled_in ON incoming (conversation, settled_at) WHERE settled_at IS NOT NULL;
  `,
  `
  -- 1: it turned out to have gone out from this account; nothing answers it.
  ALTER TABLE incoming ADD COLUMN reversed INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- The number of a message within its conversation, assigned when it is first posted; the newest one of each conversation.
  ALTER TABLE incoming ADD COLUMN sequence INTEGER;
  CREATE INDEX incoming_numbered ON incoming (conversation, sequence) WHERE state = 'open' AND sequence IS NOT NULL;
  CREATE TABLE message_sequences (conversation TEXT PRIMARY KEY, newest INTEGER NOT NULL) WITHOUT ROWID;

  -- A reply that waits for the reply to an earlier message of its conversation, as JSON.
  ALTER TABLE incoming ADD COLUMN held_reply TEXT;
  CREATE INDEX incoming_held ON incoming (conversation, sequence) WHERE held_reply IS NOT NULL;
  `,
  `
  -- Rows of chat.db that were judged, by guid, with what identifies the message where iCloud writes it again under another
  -- guid. original: the row that this one is a copy of, or itself. row_key null: nothing but the guid identifies it.
  CREATE TABLE seen_rows (
    guid TEXT PRIMARY KEY,
    original TEXT NOT NULL,
    conversation TEXT NOT NULL,
    row_key TEXT,
    words TEXT NOT NULL,
    files TEXT NOT NULL,
    changed INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX seen_rows_row_key ON seen_rows (row_key, conversation) WHERE row_key IS NOT NULL;
  CREATE INDEX seen_rows_original ON seen_rows (original);
  CREATE INDEX seen_rows_seen_at ON seen_rows (seen_at);

  -- What was judged before there was this table. Of messages the date is known to the millisecond only: see classify.ts.
  INSERT OR IGNORE INTO seen_rows (guid, original, conversation, row_key, words, files, changed, seen_at)
    SELECT guid, guid, conversation,
      'ms ' || coalesce(nullif(json_extract(message, '$.sender'), conversation), 'them') || ' ' || sent_at,
      coalesce(json_extract(message, '$.text'), ''), '', 0, seen_at FROM incoming;
  INSERT OR IGNORE INTO seen_rows (guid, original, conversation, row_key, words, files, changed, seen_at)
    SELECT substr(key, 5), substr(key, 5), '', NULL, '', '', 0, at FROM told WHERE key LIKE 'row:%';
  INSERT OR IGNORE INTO seen_rows (guid, original, conversation, row_key, words, files, changed, seen_at)
    SELECT guid, guid, conversation, NULL, '', '', 0, created_at FROM sends WHERE guid IS NOT NULL;

  -- When reading began (Unix ms), and until when rows are also looked for by their date, because the order of ROWIDs changed.
  -- caught_up 0: the first such look has not ended. moved_at: when that change was noticed. seeded 0: the rows before the
  -- cursor are not in seen_rows yet.
  CREATE TABLE chatdb_reading (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    since INTEGER NOT NULL,
    seeded INTEGER NOT NULL,
    caught_up INTEGER NOT NULL,
    moved_at INTEGER,
    look_until INTEGER,
    -- The rows read last, as JSON: where one of them has another ROWID, all have.
    samples TEXT NOT NULL DEFAULT '[]'
  );
  INSERT INTO chatdb_reading (id, since, seeded, caught_up)
    SELECT 1, coalesce(min(at), CAST(strftime('%s', 'now') AS INTEGER) * 1000), 0, 1 FROM chatdb_cursor LEFT JOIN (
      SELECT seen_at AS at FROM incoming UNION ALL SELECT at FROM told WHERE key LIKE 'row:%'
      UNION ALL SELECT attempted_at FROM sends WHERE generation IS NOT NULL AND attempted_at IS NOT NULL)
    GROUP BY chatdb_cursor.id;

  -- Proven texts by when they were tried: a row of that time with the same text is ours, whatever its guid.
  CREATE INDEX sends_proven ON sends (conversation, attempted_at) WHERE guid IS NOT NULL;
  `,
  `
  -- What is being worked on after an unclean stop, and how many starts ended with it; what was set aside. at is Unix ms.
  CREATE TABLE trials (kind TEXT NOT NULL, key TEXT NOT NULL, starts INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
  CREATE INDEX trials_at ON trials (at);
  CREATE TABLE set_aside (kind TEXT NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL, error TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
  CREATE INDEX set_aside_at ON set_aside (at);
  `,
  `
  -- Each has every column of its table: a second copy, on other pages, of what cannot be found out from anything else.
  CREATE INDEX pauses_copied ON pauses (since, reason, incoming);
  CREATE INDEX conversation_aliases_copied ON conversation_aliases (conversation, noted_at);
  CREATE INDEX message_sequences_copied ON message_sequences (newest);
  `,
  `
  -- The generation of chat.db in which reading first began; NULL: not known, or not all its rows of the day before are in seen_rows.
  ALTER TABLE chatdb_reading ADD COLUMN began_in TEXT;
  `,
  `
  -- How often its sending was begun. attempts counts the failures since the last resend, by which the next pause is long.
  ALTER TABLE sends ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
  UPDATE sends SET tries = attempts + resends + (attempted_at IS NOT NULL AND state <> 'queued');
  `,
  `
  -- Every text that came in or went out, in the order in which it was told: who watches goes on from a place in it. sender NULL:
  -- the agent.
  CREATE TABLE text_journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation TEXT NOT NULL,
    message_id TEXT NOT NULL,
    text TEXT NOT NULL,
    sender TEXT,
    said_at INTEGER NOT NULL,
    at INTEGER NOT NULL
  );
  CREATE INDEX text_journal_at ON text_journal (at);
  `,
  `
  -- Since when the oldest message waits, and which ones failed: asked every few seconds, however many wait.
  CREATE INDEX incoming_waiting ON incoming (seen_at) WHERE state = 'open';
  CREATE INDEX incoming_failed ON incoming (conversation, seen_at) WHERE state = 'open' AND last_error IS NOT NULL;
  `,
  `
  -- What nothing asks for but forgetting, which walks these tables by their keys (pruning.ts): each was a page more to write for every
  -- row. Nothing asks for seen_rows by original.
  DROP INDEX commands_with_body;
  DROP INDEX acks_created_at;
  DROP INDEX events_created_at;
  DROP INDEX text_journal_at;
  DROP INDEX seen_rows_original;
  DROP INDEX seen_rows_seen_at;
  `,
];
