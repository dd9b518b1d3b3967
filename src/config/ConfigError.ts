import { EdgeError } from '../errors.js';

/** Where a value came from. `derived`: from that of another setting. */
export type Source = 'default' | 'file' | 'environment' | '.env' | 'derived';

/** One thing that is wrong with the configuration. No part of it ever holds a secret. */
export interface Mistake {
  /** The setting's path; empty when the file as such is wrong. */
  readonly key: string;
  readonly line: number | null;
  readonly found: string;
  readonly expected: string;
  /** `default` means: given nowhere. */
  readonly source: Source;
  /** The place for a person to look: `config.yaml:12`, `.env:3`, `BACKEND_URL (environment)`. */
  readonly place: string;
  readonly suggestion?: string;
}

/** Thrown when the configuration cannot be used; lists every error, one per line. */
export class ConfigError extends EdgeError {
  constructor(
    readonly mistakes: readonly Mistake[],
    readonly warnings: readonly string[] = [],
    /** Other files that it depends on: it may be right once they have changed. */
    readonly files: readonly string[] = [],
    /** Whether there is a file at all. */
    readonly hasFile = true,
  ) {
    super(
      'config_invalid',
      linesOf(mistakes).join('\n'),
      hasFile
        ? 'Correct what is listed and start again; every setting is explained in the config.yaml that comes with edge-agent.'
        : 'There is no configuration yet. Create one: edge-agent setup',
    );
  }

  override get lines(): readonly string[] {
    return linesOf(this.mistakes);
  }
}

function linesOf(mistakes: readonly Mistake[]): string[] {
  const count = mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`;
  return [`The configuration has ${count}:`, ...mistakes.map((mistake) => `  ${describeMistake(mistake)}`)];
}

/** One line: `config.yaml:12  backend.sync_interval_seconds: found "fast", expected a number of seconds …`. */
export function describeMistake(mistake: Mistake): string {
  const key = mistake.key === '' ? '' : `${mistake.key}: `;
  const hint = mistake.suggestion === undefined ? '' : ` (${mistake.suggestion})`;
  return `${mistake.place}  ${key}found ${mistake.found}, expected ${mistake.expected}${hint}`;
}
