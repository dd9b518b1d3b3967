import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../logging/Logger.js';
import { openDatabase } from '../../store/sqlite.js';
import type { Clock } from '../../system/clock.js';
import { canonicalAddress } from '../conversationId.js';

export interface AddressBookOptions {
  /** Of the user whose Contacts they are. */
  homeDir: string;
  /** Whether names are wanted (`contacts.enabled`); asked at each use. */
  isWanted: () => boolean;
  /** Region of the user's phone, by which nationally written numbers are read. */
  region: () => string;
  clock: Clock;
  log: Logger;
}

/** A number or address as it is written in Contacts, and whose it is. */
interface Entry {
  address: string;
  name: string;
}

/** The people of one account, as of a stamp of its file; null: the last read failed. */
interface Account {
  stamp: string | null;
  entries: readonly Entry[];
}

const PLACE = 'Library/Application Support/AddressBook';
/** One on the Mac itself; one for each account (iCloud, Exchange …) in `Sources`. Contacts has had this version since 10.6. */
const FILE = 'AddressBook-v22.abcddb';
/** How often is looked whether Contacts has changed. */
const LOOK_EVERY_MS = 60_000;
/** How long a read waits for a lock of Contacts; the whole agent waits with it. */
const LOCK_PATIENCE_MS = 100;
const MOST_ENTRIES = 50_000;
/** By so many digits at its end a number is found; its whole form then decides. */
const TAIL = 4;

/**
 * The names of people as Contacts has them on this Mac, by number and e-mail address. Reads the database of Contacts,
 * read only: Apple's own interface waits for a dialog that no one can answer in a service. Nothing is read before a
 * name is requested, nor if the setting is off. An account that cannot be read keeps its previous names, and is read
 * again at each look until that works. The names are only for the operator: callers neither log them nor send them on.
 */
export class AddressBook {
  private accounts = new Map<string, Account>();
  private readonly byTail = new Map<string, Entry[]>();
  private readonly found = new Map<string, string | null>();
  private lookedAt = Number.NEGATIVE_INFINITY;
  private isWarned = false;

  constructor(private readonly options: AddressBookOptions) {}

  /** The name of the person with this canonical key; null if none is known. */
  nameOf(key: string): string | null {
    if (!this.options.isWanted()) {
      this.forget();
      return null;
    }
    this.refresh();
    const known = this.found.get(key);
    if (known !== undefined) return known;
    const region = this.options.region();
    const entries = this.byTail.get(tailOf(key)) ?? [];
    const name = entries.find(({ address }) => canonicalAddress(address, region) === key)?.name ?? null;
    this.found.set(key, name);
    return name;
  }

  private forget(): void {
    this.keep(new Map());
    this.lookedAt = Number.NEGATIVE_INFINITY;
  }

  private keep(accounts: Map<string, Account>): void {
    this.accounts = accounts;
    this.found.clear();
    this.byTail.clear();
    for (const entry of [...accounts.values()].flatMap(({ entries }) => entries)) {
      const tail = tailOf(entry.address);
      const others = this.byTail.get(tail);
      if (others === undefined) this.byTail.set(tail, [entry]);
      else others.push(entry);
    }
  }

  private refresh(): void {
    const now = this.options.clock.monotonic();
    if (now - this.lookedAt < LOOK_EVERY_MS) return;
    this.lookedAt = now;
    const files = this.attempt(() => filesIn(join(this.options.homeDir, PLACE)));
    if (files === undefined) return;
    const accounts = new Map(files.map((file) => [file, this.accountOf(file)]));
    if ([...accounts.values()].every(({ stamp }) => stamp !== null)) this.isWarned = false;
    const isAsBefore =
      accounts.size === this.accounts.size &&
      files.every((file) => accounts.get(file)?.entries === this.accounts.get(file)?.entries);
    if (isAsBefore) this.accounts = accounts;
    else this.keep(accounts);
  }

  /** Its people as they are now; those of the last read where nothing has changed since, or where it cannot be read. */
  private accountOf(file: string): Account {
    const before = this.accounts.get(file) ?? { stamp: null, entries: [] };
    const now = this.attempt(() => {
      // Before the entries: what changes while they are read is seen at the next look.
      const stamp = stampOf(file);
      return stamp === before.stamp ? before : { stamp, entries: entriesOf(file) };
    });
    return now ?? { ...before, stamp: null };
  }

  /** One account that cannot be read does not take the others' names away. */
  private attempt<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      // Words of the system would name the person's accounts.
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
      if (!this.isWarned)
        this.options.log.warn('Contacts cannot be read; people are shown without their names', { code });
      this.isWarned = true;
      return undefined;
    }
  }
}

/** Throws what the system says where the directory is there and cannot be read. */
function filesIn(directory: string): string[] {
  const sources = join(directory, 'Sources');
  const accounts = namesIn(sources).map((account) => join(sources, account, FILE));
  return [join(directory, FILE), ...accounts].filter((file) =>
    statSync(file, { throwIfNoEntry: false })?.isFile(),
  );
}

function namesIn(directory: string): string[] {
  return statSync(directory, { throwIfNoEntry: false }) === undefined
    ? []
    : readdirSync(directory).toSorted();
}

/** Another one after each change: what is new is in the file itself or in its write-ahead log. */
function stampOf(file: string): string {
  return [file, `${file}-wal`]
    .map((path) => statSync(path, { throwIfNoEntry: false }))
    .map((stats) => (stats === undefined ? '-' : `${stats.ino}:${stats.mtimeMs}:${stats.size}`))
    .join('/');
}

function entriesOf(file: string): Entry[] {
  const database = openDatabase(file, { readonly: true, busyTimeoutMs: LOCK_PATIENCE_MS });
  try {
    return database
      .prepare<[number], Entry>(
        `SELECT address, trim(coalesce(nullif(trim(coalesce(first, '') || ' ' || coalesce(last, '')), ''), nickname, company)) AS name
         FROM (
           SELECT CAST(ZFULLNUMBER AS TEXT) AS address, ZOWNER AS owner FROM ZABCDPHONENUMBER
           UNION ALL SELECT CAST(ZADDRESS AS TEXT), ZOWNER FROM ZABCDEMAILADDRESS
         ) JOIN (
           SELECT Z_PK, CAST(ZFIRSTNAME AS TEXT) AS first, CAST(ZLASTNAME AS TEXT) AS last,
             nullif(trim(CAST(ZNICKNAME AS TEXT)), '') AS nickname, nullif(trim(CAST(ZORGANIZATION AS TEXT)), '') AS company
           FROM ZABCDRECORD
         ) ON Z_PK = owner
         WHERE address <> '' AND name <> '' LIMIT +?`,
      )
      .all(MOST_ENTRIES);
  } finally {
    database.close();
  }
}

function tailOf(address: string): string {
  if (address.includes('@')) return address.trim().toLowerCase();
  return address.replaceAll(/\P{Nd}/gu, '').slice(-TAIL);
}
