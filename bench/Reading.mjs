import { ChatDbWriter } from '../dist/kit/messages/ChatDbWriter.js';
import { ChatDb } from '../dist/messages/chatdb/ChatDb.js';
import { IncomingReader } from '../dist/messages/chatdb/IncomingReader.js';
import { openDatabase } from '../dist/store/sqlite.js';
import { systemClock } from '../dist/system/clock.js';

const ignore = () => undefined;
const SILENT_LOG = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** A chat.db, and the agent's reader of it with its place in memory: what is measured is the reading, not our own commit. */
export class Reading {
  found = 0;
  position;

  constructor(path) {
    this.writer = new ChatDbWriter(path, { version: 26 });
    this.chatDb = new ChatDb({ path, clock: systemClock, log: SILENT_LOG, region: 'US' });
    this.raw = openDatabase(path, { readonly: true });
    this.reader = new IncomingReader({
      chatDb: this.chatDb,
      store: this.store(),
      clock: systemClock,
      log: SILENT_LOG,
      region: 'US',
      ownAddresses: () => new Set(),
      worthAnswering: () => true,
      onMessages: (messages) => {
        this.found += messages.length;
      },
    });
    this.reader.scan();
  }

  /** Microseconds of a scan that finds one new message. */
  newMessage(text, from) {
    this.writer.receive({ from, text });
    const before = this.found;
    const began = process.hrtime.bigint();
    this.reader.scan();
    const ended = process.hrtime.bigint();
    if (this.found !== before + 1) throw new Error('the new message was not found');
    return Number(ended - began) / 1e3;
  }

  /** How many rows a second are read while `rows` of them, the newest, are caught up with. */
  async catchUp(rows) {
    const newest = this.raw.prepare('SELECT max(ROWID) FROM message').pluck().get();
    const rowId = newest - rows;
    const guid = this.raw.prepare('SELECT guid FROM message WHERE ROWID = ?').pluck().get(rowId);
    this.position = { ...this.position, rowId, guid };
    const began = process.hrtime.bigint();
    this.reader.scan();
    // It continues on its own, in slices. Of the rows at the start, the newest are known already.
    while (this.position.rowId < newest) await new Promise((resolve) => setImmediate(resolve));
    return (rows / Number(process.hrtime.bigint() - began)) * 1e9;
  }

  close() {
    this.reader.stop();
    this.chatDb.close();
    this.raw.close();
    this.writer.close();
  }

  store() {
    let waiting = [];
    let reading;
    const seen = new Set();
    return {
      write: (work) => work(),
      share: ({ take, ended }) => {
        take();
        ended({ kind: 'stored' });
      },
      commitShared: ignore,
      incoming: { add: () => true, newestGuids: () => [] },
      cursor: {
        get: () => this.position,
        set: (next) => {
          this.position = next;
        },
        pending: () => waiting,
        setPending: (rows) => {
          waiting = [...rows];
        },
        reading: () => reading,
        setReading: (state) => {
          reading = state;
        },
        seen: {
          add: ({ guid }) => seen.add(guid),
          has: (guid) => seen.has(guid),
          like: () => [],
          originalOf: (guid) => guid,
        },
      },
    };
  }
}
