import type { Clock } from '../system/clock.js';
import type { SetAsideItem } from './setAsideItem.js';

type Fields = Record<string, unknown>;

/** More damaged rows than these tell nothing new. */
const MOST_NOTED = 200;

/** An object that the store wrote as JSON; undefined where it is none, or lacks what `isWhole` looks for. Never throws. */
export function readStored<T extends object>(
  json: string,
  isWhole: (fields: Fields) => boolean = () => true,
): T | undefined {
  const value = parsed(json);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && isWhole(value as Fields) ? (value as T) : undefined;
}

/**
 * Reads the values that rows of the store have as JSON. A value that the disk gives back damaged costs its row and nothing else:
 * it reads as undefined, whoever asks goes on without it, and status tells of it (`item_set_aside`) as long as this run meets it.
 */
export class StoredRows {
  private readonly noted = new Map<string, SetAsideItem>();

  constructor(private readonly clock: Clock) {}

  object<T extends object>(
    table: string,
    key: string,
    json: string,
    isWhole?: (fields: Fields) => boolean,
  ): T | undefined {
    const value = readStored<T>(json, isWhole);
    if (value === undefined) this.note(table, key);
    return value;
  }

  list<T>(table: string, key: string, json: string): T[] | undefined {
    const value = parsed(json);
    if (Array.isArray(value)) return value as T[];
    this.note(table, key);
    return undefined;
  }

  /** The rows that were met so far. */
  damaged(): readonly SetAsideItem[] {
    return [...this.noted.values()];
  }

  /** A row was met of which nothing can be read. */
  note(table: string, key: string): void {
    const name = `${table} ${key}`;
    if (this.noted.has(name) || this.noted.size >= MOST_NOTED) return;
    this.noted.set(name, {
      kind: 'stored row',
      key: name,
      at: this.clock.now(),
      error: `what the store has of it in ${table} is damaged`,
    });
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // What the disk damaged is expected here; the caller says what that means.
    return undefined;
  }
}
