import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';

interface Contact {
  first?: string;
  last?: string;
  nickname?: string;
  company?: string;
  phones?: readonly string[];
  emails?: readonly string[];
}

/** Adds people to Contacts of a home directory: to those on the Mac, or to an account's. In the tables and columns that macOS has. */
export function addContacts(homeDir: string, people: readonly Contact[], account?: string): void {
  const book = join(homeDir, 'Library', 'Application Support', 'AddressBook');
  const directory = account === undefined ? book : join(book, 'Sources', account);
  mkdirSync(directory, { recursive: true });
  const database = new BetterSqlite3(join(directory, 'AddressBook-v22.abcddb'));
  database.pragma('journal_mode = WAL');
  database.exec(`
    CREATE TABLE IF NOT EXISTS ZABCDRECORD (Z_PK INTEGER PRIMARY KEY, ZFIRSTNAME VARCHAR, ZLASTNAME VARCHAR, ZNICKNAME VARCHAR, ZORGANIZATION VARCHAR);
    CREATE TABLE IF NOT EXISTS ZABCDPHONENUMBER (Z_PK INTEGER PRIMARY KEY, ZOWNER INTEGER, ZFULLNUMBER VARCHAR);
    CREATE TABLE IF NOT EXISTS ZABCDEMAILADDRESS (Z_PK INTEGER PRIMARY KEY, ZOWNER INTEGER, ZADDRESS VARCHAR);`);
  const record = database.prepare(
    'INSERT INTO ZABCDRECORD (ZFIRSTNAME, ZLASTNAME, ZNICKNAME, ZORGANIZATION) VALUES (?, ?, ?, ?)',
  );
  const phone = database.prepare('INSERT INTO ZABCDPHONENUMBER (ZOWNER, ZFULLNUMBER) VALUES (?, ?)');
  const email = database.prepare('INSERT INTO ZABCDEMAILADDRESS (ZOWNER, ZADDRESS) VALUES (?, ?)');
  for (const { first = null, last = null, nickname = null, company = null, ...at } of people) {
    const { lastInsertRowid: owner } = record.run(first, last, nickname, company);
    for (const number of at.phones ?? []) phone.run(owner, number);
    for (const address of at.emails ?? []) email.run(owner, address);
  }
  database.close();
}
