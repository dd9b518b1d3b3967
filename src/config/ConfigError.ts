import { EdgeError } from '../errors.js';

/** Where a value came from. */
export type Source = 'default' | 'file' | 'environment' | '.env';

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

/** Thrown when the configuration cannot be used; lists every mistake at once, one a line. */
export class ConfigError extends EdgeError {
  constructor(
    readonly mistakes: readonly Mistake[],
    readonly warnings: readonly string[] = [],
  ) {
    const count = mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`;
    const lines = mistakes.map((mistake) => `  ${describeMistake(mistake)}`);
    super(
      'config_invalid',
      [`The configuration has ${count}:`, ...lines].join('\n'),
      'Correct what is listed and start again; every setting is explained in the config.yaml that comes with edge-agent.',
    );
  }
}

/** One line: `config.yaml:12  backend.sync_interval_seconds: found "fast", expected a number of seconds …`. */
export function describeMistake(mistake: Mistake): string {
  const key = mistake.key === '' ? '' : `${mistake.key}: `;
  const hint = mistake.suggestion === undefined ? '' : ` (${mistake.suggestion})`;
  return `${mistake.place}  ${key}found ${mistake.found}, expected ${mistake.expected}${hint}`;
}
