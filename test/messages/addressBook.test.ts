import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AddressBook } from '../../src/messages/contacts/AddressBook.js';
import { addContacts } from '../support/addressBook.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory } from '../support/temporaryDirectory.js';

function contacts(isWanted: () => boolean = () => true) {
  const homeDir = temporaryDirectory({ onTestFinished });
  const clock = new FakeClock();
  const log = new RecordingLog();
  const book = new AddressBook({ homeDir, isWanted, region: () => 'US', clock, log });
  return { homeDir, clock, log, book };
}

/** Contacts keeps everybody else out. Returns what ends that, and leaves the file as it was. */
function lockContacts(homeDir: string): () => void {
  const file = join(homeDir, 'Library', 'Application Support', 'AddressBook', 'AddressBook-v22.abcddb');
  const database = new BetterSqlite3(file);
  database.pragma('journal_mode = DELETE');
  database.exec('BEGIN EXCLUSIVE');
  return () => {
    database.exec('ROLLBACK');
    database.close();
  };
}

describe('names from Contacts', () => {
  test.each([
    ['as E.164', '+13105551234'],
    ['nationally', '(310) 555-1234'],
    ['with dots and spaces', '310. 555 1234'],
    ['with the international prefix', '011 1 310 555 1234'],
  ])('a number that is written %s is the person who sends messages from it', (_, written) => {
    const { homeDir, book } = contacts();
    addContacts(homeDir, [{ first: 'Jane', last: 'Doe', phones: [written] }]);
    expect(book.nameOf('+13105551234')).toBe('Jane Doe');
  });

  test('a number with the same last digits is not taken for the person', () => {
    const { homeDir, book } = contacts();
    addContacts(homeDir, [{ first: 'Jane', phones: ['+44 20 7946 1234', '+13105551234'] }]);
    expect(book.nameOf('+442079461234')).toBe('Jane');
    expect(book.nameOf('+13105561234')).toBeNull();
    expect(book.nameOf('+12125551234')).toBeNull();
  });

  test('an address is found whatever its case, also in the contacts of an account', () => {
    const { homeDir, book } = contacts();
    addContacts(homeDir, [{ company: 'Acme', phones: ['72645'] }]);
    addContacts(homeDir, [{ first: ' ', nickname: 'Janie', emails: ['Jane@Example.com '] }], 'C0FFEE');
    expect(book.nameOf('jane@example.com')).toBe('Janie');
    expect(book.nameOf('72645')).toBe('Acme');
  });

  test('a changed name is shown within a minute', () => {
    const { homeDir, clock, book } = contacts();
    addContacts(homeDir, [{ first: 'Jane', phones: ['+13105551234'] }]);
    expect(book.nameOf('+13105550199')).toBeNull();
    addContacts(homeDir, [{ first: 'Joe', phones: ['+13105550199'] }]);
    clock.advance(60_000);
    expect(book.nameOf('+13105550199')).toBe('Joe');
  });

  test('nothing is read unless enabled, and nothing kept once disabled', () => {
    let isWanted = false;
    const { homeDir, book } = contacts(() => isWanted);
    addContacts(homeDir, [{ first: 'Jane', phones: ['+13105551234'] }]);
    expect(book.nameOf('+13105551234')).toBeNull();
    isWanted = true;
    expect(book.nameOf('+13105551234')).toBe('Jane');
    isWanted = false;
    expect(book.nameOf('+13105551234')).toBeNull();
    expect(JSON.stringify([...Object.values(book)].filter((part) => part instanceof Map))).not.toContain(
      'Jane',
    );
  });

  test('without Contacts no one has a name, and nothing is logged', () => {
    const { log, book } = contacts();
    expect(book.nameOf('+13105551234')).toBeNull();
    expect(log.lines).toEqual([]);
  });

  test('a moment in which Contacts is locked hides names for a minute, not until Contacts changes', () => {
    const { homeDir, clock, log, book } = contacts();
    addContacts(homeDir, [{ first: 'Jane', phones: ['+13105551234'] }]);
    const unlock = lockContacts(homeDir);
    expect(book.nameOf('+13105551234')).toBeNull();
    unlock();
    clock.advance(60_000);
    expect(book.nameOf('+13105551234')).toBe('Jane');
    expect(log.lines).toHaveLength(1);
  });

  test('names that were read before stay while Contacts is locked, and each lock is logged', () => {
    const { homeDir, clock, log, book } = contacts();
    addContacts(homeDir, [{ first: 'Jane', phones: ['+13105551234'] }]);
    expect(book.nameOf('+13105551234')).toBe('Jane');
    for (const lock of [1, 2]) {
      addContacts(homeDir, [{ first: 'Joe', phones: [`+1310555019${lock}`] }]);
      const unlock = lockContacts(homeDir);
      clock.advance(60_000);
      expect(book.nameOf('+13105551234')).toBe('Jane');
      expect(log.lines).toHaveLength(lock);
      unlock();
      clock.advance(60_000);
      expect(book.nameOf(`+1310555019${lock}`)).toBe('Joe');
    }
  });

  test('a damaged file of one account is logged once, without a path or a name, and the others are read', () => {
    const { homeDir, clock, log, book } = contacts();
    addContacts(homeDir, [{ first: 'Jane', phones: ['+13105551234'] }]);
    expect(book.nameOf('+13105551234')).toBe('Jane');
    const account = join(homeDir, 'Library', 'Application Support', 'AddressBook', 'Sources', 'jane-at-work');
    mkdirSync(account, { recursive: true });
    writeFileSync(
      join(account, 'AddressBook-v22.abcddb'),
      'no database at all, but long enough to look like one',
    );
    for (let minute = 0; minute < 3; minute += 1) {
      clock.advance(60_000);
      expect(book.nameOf('+13105551234')).toBe('Jane');
    }
    expect(log.lines).toHaveLength(1);
    expect(log.lines.join()).not.toMatch(/jane|Library/i);
  });
});
