import { z } from 'zod';
import type { Salvaged } from '../salvage.js';
import type { Database } from '../sqlite.js';
import type { Repairs } from './repairs.js';

/** In `meta`: the report of the last salvage, so that a kill does not keep it from whom it concerns. */
const KEY = 'salvage_report';

const reportSchema = z.object({
  /** Where the damaged store is kept. */
  aside: z.string(),
  /** Unix ms. */
  at: z.number(),
  /** `lost`: rows that are known to have been there; `mayBeMore`: others may have been. */
  tables: z.record(z.string(), z.object({ kept: z.number(), lost: z.number(), mayBeMore: z.boolean() })),
  /** Scheduled texts that are lost. `sendAt` is Unix ms. */
  schedules: z.array(
    z.object({
      scheduleId: z.string().nullable(),
      commandId: z.string().nullable(),
      sendAt: z.number().nullable(),
    }),
  ),
  unknownCommands: z.number(),
  unknownTexts: z.number(),
  readsAgain: z.boolean(),
  paused: z.boolean(),
});

/** What was had of a damaged store, and what was not. */
export type SalvageReport = z.output<typeof reportSchema>;

export function reportOf(
  salvaged: Salvaged,
  repairs: Repairs,
  { aside, at }: { aside: string; at: number },
): SalvageReport {
  const tables = [...salvaged].map(([table, { kept, lost, mayHaveLostMore: mayBeMore }]) => {
    return [table, { kept, lost: lost.length, mayBeMore }] as const;
  });
  return { aside, at, tables: Object.fromEntries(tables), ...repairs, schedules: [...repairs.schedules] };
}

/** Keeps the report; undefined: forgets it. */
export function saveReport(database: Database, report: SalvageReport | undefined): void {
  if (report === undefined) database.prepare('DELETE FROM meta WHERE key = ?').run(KEY);
  else
    database
      .prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)')
      .run(KEY, JSON.stringify(report));
}

/** The report that is kept, if there is one that can be read. */
export function readReport(database: Database): SalvageReport | undefined {
  const value = database.prepare<unknown[], string>('SELECT value FROM meta WHERE key = ?').pluck().get(KEY);
  if (value === undefined) return undefined;
  const parsed = reportSchema.safeParse(parse(value));
  return parsed.success ? parsed.data : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The report for people: which tables lost something, and the names of the lost scheduled texts. */
export function describeLosses({
  tables,
  schedules,
  unknownCommands,
  unknownTexts,
  paused,
}: SalvageReport): string {
  const lost = Object.entries(tables).flatMap(([table, { lost, mayBeMore }]) => {
    if (lost === 0 && !mayBeMore) return [];
    return `${table} (${lost === 0 ? 'some' : `${lost}${mayBeMore ? ' or more' : ''}`})`;
  });
  const names = schedules.map(({ scheduleId, commandId }) => scheduleId ?? commandId ?? 'unnamed');
  return [
    lost.length === 0 ? 'No row was lost.' : `Rows lost: ${lost.join(', ')}.`,
    ...(names.length === 0 ? [] : [`Scheduled texts that are not sent: ${listed(names)}.`]),
    ...(unknownCommands + unknownTexts === 0
      ? []
      : [`Outcome unknown: ${unknownCommands} commands, ${unknownTexts} texts.`]),
    ...(paused ? ['A pause may be lost, so everything is paused.'] : []),
  ].join(' ');
}

/** So many are named in the status; the log has all of them. */
const NAMED = 20;

function listed(names: readonly string[]): string {
  const more = names.length - NAMED;
  return names.slice(0, NAMED).join(', ') + (more > 0 ? ` and ${more} more (see the log)` : '');
}
