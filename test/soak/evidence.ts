import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Ack } from '../../src/kit/backend/frames.js';
import type { Journal } from '../../src/kit/backend/Journal.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { AGENT_ID, type EdgeWorld } from '../support/EdgeWorld.js';

/** An older state directory was put back. Times are Unix ms. */
export interface Restore {
  copiedAt: number;
  restoredAt: number;
}

/** What is left in the end to judge by. */
export interface Evidence {
  /** What Messages took, oldest first. */
  sent: readonly string[];
  /** Where each of them went: a chat, or a person. */
  dispatches: readonly { text: string; target: string }[];
  journal: Journal;
  /** The ack that counts, by command id. */
  acks: ReadonlyMap<string, Ack>;
  /** Older states that were put back: what they did not know was found in chat.db, or is told as unknown. */
  restores: readonly Restore[];
  /** Texts, or names of files, that the ledger calls unknown (or one did that was replaced), and failed. */
  unknown: readonly string[];
  failed: readonly string[];
  /** How messages stand in the store, by guid. */
  incoming: ReadonlyMap<string, string>;
  /** What SQLite says of the store; `ok` if it is sound. */
  integrity: string;
  /** Stores that were set aside as damaged. */
  damaged: readonly string[];
}

/** Gathers it from the stand-in, the backend and the store of a daemon that has ended. */
export function gather(
  world: EdgeWorld,
  commandIds: readonly string[],
  before: { restores: readonly Restore[]; unknown: readonly string[] } = { restores: [], unknown: [] },
): Evidence {
  const database = openDatabase(join(world.state, 'edge-agent.db'));
  try {
    const select = database.prepare('SELECT coalesce(file, text) FROM sends WHERE state = ? ORDER BY seq');
    const texts = (state: string) => (select.pluck().all(state) as string[]).map((name) => basename(name));
    const incoming = database.prepare('SELECT guid, state FROM incoming').raw().all() as [string, string][];
    const acks = commandIds.map((id) => [id, world.backend.commands.lastAck(AGENT_ID, id)] as const);
    return {
      sent: world.texts,
      dispatches: world.mac.sent().map(({ text, file, target }) => ({ text: file?.name ?? text, target })),
      journal: world.backend.journal,
      acks: new Map(acks.flatMap(([id, ack]) => (ack === undefined ? [] : [[id, ack]]))),
      restores: before.restores,
      unknown: [...before.unknown, ...texts('unknown')],
      failed: texts('failed'),
      incoming: new Map(incoming),
      integrity: String(database.pragma('integrity_check', { simple: true })),
      damaged: readdirSync(world.state).filter((name) => name.includes('.damaged-')),
    };
  } finally {
    database.close();
  }
}
