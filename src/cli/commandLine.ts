import { carryOut } from './carryOut.js';

/** Does what the arguments of this process ask for. Never rejects. */
export function commandLine(): Promise<void> {
  return carryOut(async () => (await import('./program.js')).runProgram());
}
