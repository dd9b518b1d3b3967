/** How a table is salvaged, beyond what holds for each: every row that can be read, and every key that an index still has. */
interface SalvageRule {
  /** Columns that hold JSON: a row whose JSON cannot be read is as lost as one that cannot be read itself. */
  json: readonly string[];
  /** What becomes of rows that are lost, for the people who read `docs/guarantees.md`; repairs.ts does it. */
  lost: string;
}

/** One rule a table. A table without one cannot be salvaged: `test/store/salvage.test.ts` fails for it. */
export const SALVAGE_RULES: Readonly<Record<string, SalvageRule>> = {
  meta: {
    json: [],
    lost: 'The agent registers again; settings that the backend had changed fall back to the file; links to the monitor made so far are refused.',
  },
  commands: {
    json: ['body', 'ack'],
    lost: 'Its id is found in the indexes, the ledger, the schedule and the outbox. It is never executed again; the state of its texts is its ack, else `outcome_unknown`.',
  },
  acks: { json: ['body'], lost: 'Recreated from the command.' },
  events: { json: ['details'], lost: 'Counted in the log and in the event `store_damaged`.' },
  incoming: {
    json: ['message', 'held_reply'],
    lost: 'Read again from chat.db, by date; one that was answered or given up is not posted again.',
  },
  chatdb_cursor: { json: [], lost: 'chat.db is read again, by date.' },
  chatdb_reading: { json: ['samples'], lost: 'chat.db is read again, by date.' },
  seen_rows: {
    json: [],
    lost: 'What was processed is read again from chat.db; a copy of a message that iCloud wrote may count as a new message.',
  },
  chatdb_pending: { json: [], lost: 'chat.db is read again, by date.' },
  sends: {
    json: [],
    lost: 'Never sent again. Sent if an index still has its row in chat.db, else `outcome_unknown`.',
  },
  schedule: {
    json: ['files'],
    lost: 'Not sent. Named to the backend (`message_failed`) and to the operator (status and log).',
  },
  target_forms: { json: [], lost: 'Learnt again.' },
  new_recipients: { json: [], lost: 'All recipients of the last hour count as new.' },
  uploads: { json: ['message'], lost: 'Queued again from the message, unless it was done.' },
  contexts: {
    json: ['body'],
    lost: 'Counted in the event `store_damaged`; the backend can then set them again.',
  },
  pauses: {
    json: [],
    lost: 'Taken from its index, which has all of it. If that is lost too, everything is paused until the operator resumes it.',
  },
  trials: { json: [], lost: 'Counting begins again.' },
  set_aside: { json: [], lost: 'Set aside as before, by what its index has; the reason is lost.' },
  message_sequences: {
    json: [],
    lost: 'Taken from its index, which has all of it. If that is lost too, numbers continue after those of the stored messages.',
  },
  conversation_aliases: {
    json: [],
    lost: 'Taken from its index, which has all of it. If that is lost too, a group may count as a new one.',
  },
  told: { json: [], lost: 'Taken from its index; if that is lost too, an event may be reported twice.' },
  outages: { json: [], lost: 'Counted in the log; a message may be considered older than it is.' },
  used_links: { json: [], lost: 'Every link to the monitor made so far is refused.' },
  exchanges: { json: ['body'], lost: 'Counting begins again.' },
  text_journal: {
    json: [],
    lost: '`edge-agent watch --since` says that texts are missing.',
  },
};
