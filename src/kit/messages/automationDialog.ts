import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** What macOS has noted of the permission to control Messages. `not_running`: Messages does not run, so it does not say. */
export type AutomationNote = 'granted' | 'denied' | 'undecided' | 'not_running';

/** The numbers that AEDeterminePermissionToAutomateTarget gives (MacErrors.h). */
const NUMBERS: Readonly<Record<AutomationNote, number>> = {
  granted: 0,
  denied: -1743,
  undecided: -1744,
  not_running: -600,
};

const NOTE = 'automation';
const DIALOGS = 'automation.dialogs';
const LOOK_EVERY_MS = 50;

/** As if it had been decided in System Settings, or in the open dialog. `granted` if nothing was ever recorded. */
export function noteAutomation(directory: string, note: AutomationNote): void {
  const path = join(directory, NOTE);
  writeFileSync(`${path}.new`, note);
  renameSync(`${path}.new`, path);
}

/** How many dialogs were raised so far. */
export function dialogsRaised(directory: string): number {
  const path = join(directory, DIALOGS);
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
}

/** What macOS says now, as a number. */
export function automationNumber(directory: string): number {
  const path = join(directory, NOTE);
  return existsSync(path) ? NUMBERS[readFileSync(path, 'utf8') as AutomationNote] : NUMBERS.granted;
}

/**
 * Shows the dialog; resolves with the result of macOS when it is answered, or when the time is over. Rejects when the
 * caller has `ended`.
 */
export async function raiseDialog(
  directory: string,
  patienceMs: number,
  ended: AbortSignal,
): Promise<number> {
  appendFileSync(join(directory, DIALOGS), 'raised\n');
  const end = performance.now() + patienceMs;
  while (automationNumber(directory) === NUMBERS.undecided && performance.now() < end)
    await pause(LOOK_EVERY_MS, undefined, { signal: ended });
  return automationNumber(directory);
}
