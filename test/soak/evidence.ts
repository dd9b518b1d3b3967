import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Ack } from '../../src/gateway/agents/frames.js';
import type { Journal } from '../../src/kit/backend/Journal.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { AGENT_ID, type EdgeWorld } from '../support/EdgeWorld.js';

/** An older state directory was restored. Times are Unix ms. */
export interface Restore {
  copiedAt: number;
  restoredAt: number;
}

/** A text whose end a store reported as unknown. */
export interface UnknownText {
  /** Derived from its cause: the same in each store that ever had it. */
  id: string;
  /** Its text, or the name of its file. */
  text: string;
  /** What the store reported of it. */
  error: string;
}

/** How a store reports an unknown text, and what the report calls that. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/a different answer/, 'another answer'],
  [/the same words/, 'same words'],
  [/may have been cancelled/, 'perhaps cancelled'],
  [/agent was killed/, 'killed meanwhile'],
  [/did not appear/, 'no row'],
];

/** What is left in the end to judge by. */
export interface Evidence {
  /** What Messages took, oldest first. */
  sent: readonly string[];
  /** Where each of them went: a chat, or a person. */
  dispatches: readonly { text: string; target: string }[];
  journal: Journal;
  /** The ack that counts, by command id. */
  acks: ReadonlyMap<string, Ack>;
  /** Older states that were restored: what they did not know was found in chat.db, or is reported as unknown. */
  restores: readonly Restore[];
  /** Each text that the ledger calls unknown, or one did that was replaced. */
  unknown: readonly UnknownText[];
  /** Texts, or names of files, that failed. */
  failed: readonly string[];
  /** The state of messages in the store, by guid. */
  incoming: ReadonlyMap<string, string>;
  /** The result of SQLite's check of the store; `ok` if it is sound. */
  integrity: string;
  /** Stores that were set aside as damaged. */
  damaged: readonly string[];
}

/** Gathers it from the stand-in, the backend and the store of a daemon that has ended. */
export async function gather(
  world: EdgeWorld,
  commandIds: readonly string[],
  before: { restores: readonly Restore[]; unknown: readonly UnknownText[] } = { restores: [], unknown: [] },
): Promise<Evidence> {
  const database = openDatabase(join(world.state, 'edge-agent.db'));
  try {
    const select = database.prepare('SELECT coalesce(file, text) FROM sends WHERE state = ? ORDER BY seq');
    const texts = (state: string) => (select.pluck().all(state) as string[]).map((name) => basename(name));
    const incoming = database.prepare('SELECT guid, state FROM incoming').raw().all() as [string, string][];
    const { commands } = world.backend;
    const acks = await Promise.all(
      commandIds.map(async (id) => [id, await commands.lastAck(AGENT_ID, id)] as const),
    );
    return {
      sent: world.texts,
      dispatches: world.mac.sent().map(({ text, file, target }) => ({ text: file?.name ?? text, target })),
      journal: world.backend.journal,
      acks: new Map(acks.flatMap(([id, ack]) => (ack === undefined ? [] : [[id, ack]]))),
      restores: before.restores,
      unknown: distinct([...before.unknown, ...unknownTexts(world.state)]),
      failed: texts('failed'),
      incoming: new Map(incoming),
      integrity: String(database.pragma('integrity_check', { simple: true })),
      damaged: readdirSync(world.state).filter((name) => name.includes('.damaged-')),
    };
  } finally {
    database.close();
  }
}

/** Texts whose end a store reports as unknown. */
export function unknownTexts(state: string): UnknownText[] {
  const database = openDatabase(join(state, 'edge-agent.db'));
  try {
    const select = database.prepare(
      "SELECT id, coalesce(file, text) AS text, coalesce(error, '') AS error FROM sends WHERE state = 'unknown'",
    );
    return (select.all() as UnknownText[]).map((one) => ({ ...one, text: basename(one.text) }));
  } finally {
    database.close();
  }
}

/** A restored store repeats the reports of the one before it. */
function distinct(unknown: readonly UnknownText[]): UnknownText[] {
  return [...new Map(unknown.map((one) => [one.id, one])).values()];
}

/** How many texts are unknown for which reason, and how many of them Messages took. */
export function unknownByKind({ unknown, sent }: Evidence): Record<string, number> {
  const counts: Record<string, number> = {};
  const went = new Set(sent);
  for (const { text, error } of unknown) {
    const kind = REASONS.find(([pattern]) => pattern.test(error))?.[1];
    const name = `${kind ?? 'other'}${went.has(text) ? ', went out' : ''}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
