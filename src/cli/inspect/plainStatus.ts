import type { StatusOptions } from './status.js';

/**
 * The options of a command line that is only `status` with its own options, as program.ts would read them. Undefined
 * for every other one, for errors and for anything unusual (a repeated option, a value that looks like an option):
 * those are left to program.ts.
 */
export function plainStatus(args: readonly string[]): StatusOptions | undefined {
  let verb = false;
  let json = false;
  let configPath: string | undefined;
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at];
    if (arg === 'status' && !verb) verb = true;
    else if (arg === '--json' && verb && !json) json = true;
    else if (arg === '--config' && configPath === undefined) {
      at += 1;
      configPath = args[at];
      if (configPath === undefined || configPath.startsWith('-')) return undefined;
    } else return undefined;
  }
  if (!verb) return undefined;
  return configPath === undefined ? { json } : { configPath, json };
}
