import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { EVERY_CONVERSATION } from '../../src/store/conversations.js';
import { seeded } from '../support/seeded.js';
import {
  type Killed,
  type Life,
  nextLife,
  type Outside,
  PAUSED,
  PLACES,
  pagesOf,
  revive,
  SPOILS,
  spoil,
} from './SalvageWorld.js';

/**
 * One damage and what follows: a page of this table, chosen with the seed, is damaged in a store that was killed
 * while in use.
 */
export async function damagedLife(killed: Killed, table: string, seed: number): Promise<Life> {
  const random = seeded(seed);
  const { path, outside } = revive(killed, true);
  const pages = pagesOf(path, table, PLACES[seed % PLACES.length] ?? 'any');
  const page = pages[Math.floor(random() * pages.length)] ?? 1;
  spoil(path, page, SPOILS[seed % SPOILS.length] ?? 'ones', random);
  const damaged = readFileSync(path);
  const life = await nextLife(path, outside);
  keepsTheDamaged(life, damaged);
  await life.settle(true);
  return life;
}

function keepsTheDamaged({ store }: Life, damaged: Buffer): void {
  if (store.salvaged === undefined) return;
  expect(existsSync(store.salvaged.aside)).toBe(true);
  // Opening it may have written to it what every opening writes; the rows are as they were.
  expect(readFileSync(store.salvaged.aside).length).toBe(damaged.length);
}

/** The promises, whatever was damaged. */
export function keepsItsPromises(life: Life): void {
  const { outside, store } = life;
  sendsNothingTwice(outside);
  endsEachCommandOnce(life);
  answersEveryMessage(life);
  namesEveryLostSchedule(life);
  sendsNothingIntoAPause(life);
  expect(store.fault()).toBeUndefined();
}

function sendsNothingTwice({ messages }: Outside): void {
  const counts = new Map<string, number>();
  for (const text of messages.texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  expect([...counts].filter(([, count]) => count > 1)).toEqual([]);
}

function endsEachCommandOnce({ outside, store }: Life): void {
  const started = new Set(outside.messages.texts);
  const everythingHeld = store.pauses.get(EVERY_CONVERSATION) !== undefined;
  for (const [id, { command, acks }] of outside.commands) {
    const text = String(command.payload.text ?? '');
    const isHeld = everythingHeld || command.payload.thread_id === PAUSED;
    if (isHeld && acks.length === 0) {
      expect(started.has(text), `${id} is held and was sent`).toBe(false);
      continue;
    }
    // One that is neither known nor offered again had its end before.
    if (acks.length === 0 || store.commands.find(id) !== undefined)
      expect(store.commands.find(id)?.state, `${id} has an end`).toBe('done');
    const outcomes = new Set(acks.map(({ status, result }) => `${status} ${String(result?.outcome)}`));
    expect([...outcomes], `${id} has one outcome`).toHaveLength(1);
    const [outcome] = outcomes;
    if (command.commandType !== 'send_message_now') continue;
    if (outcome === 'completed sent')
      expect(started.has(text), `${id} is called sent and was not`).toBe(true);
    else expect(outcome).toBe('failed unknown');
  }
}

function answersEveryMessage({ outside, store }: Life): void {
  const texts = new Set(outside.messages.texts);
  const everythingHeld = store.pauses.get(EVERY_CONVERSATION) !== undefined;
  const told = outside.events
    .filter(({ type }) => type === 'message_failed')
    .map(({ details }) => details.in_reply_to);
  for (const { guid } of outside.chatDb) {
    expect(outside.posted, `${guid} was posted`).toContain(guid);
    const isAnswered = texts.has(`answer to ${guid}`) && texts.has(`and more to ${guid}`);
    expect(isAnswered || everythingHeld || told.includes(guid), `${guid} was answered`).toBe(true);
  }
}

function namesEveryLostSchedule({ outside, store }: Life): void {
  const there = new Set(store.schedule.list('pending', 1000).map(({ commandId }) => commandId));
  const told = new Set(
    outside.events.filter(({ type }) => type === 'message_failed').map(({ details }) => details.command_id),
  );
  const named = new Set(store.salvaged?.schedules.map(({ commandId }) => commandId));
  const { schedule, commands } = store.salvaged?.tables ?? {};
  // Where neither the text nor its command left a name, the report says that texts are lost.
  const isNameless = schedule?.mayBeMore === true && commands?.mayBeMore === true;
  const losses = outside.events
    .filter(({ type }) => type === 'store_damaged')
    .map(({ details }) => details.may_be_more);
  if (isNameless) expect(losses).toEqual([expect.arrayContaining(['schedule'])]);
  for (const id of outside.schedules) {
    if (there.has(id) || (isNameless && !told.has(id))) continue;
    expect(told, `${id} is told to the backend`).toContain(id);
    expect(named, `${id} is told to the operator`).toContain(id);
  }
}

function sendsNothingIntoAPause({ outside, store }: Life): void {
  expect(outside.messages.texts.filter((text) => text.startsWith('held'))).toEqual([]);
  expect(store.pauses.covers(PAUSED)).toBe(true);
}
