import { describeError, EdgeError } from '../errors.js';
import { hideFromNode } from '../system/environment.js';
import { EXIT } from './exitCodes.js';
import { complain, complainOf } from './print.js';

/** Does what this process was started for. What it throws is said on stderr, with exit code 1; never rejects. */
export async function carryOut(act: () => Promise<void>): Promise<void> {
  hideFromNode();
  try {
    await act();
  } catch (error) {
    if (error instanceof EdgeError) complainOf(error);
    else complain(`edge-agent: ${describeError(error)}`);
    process.exitCode = EXIT.failed;
  }
}
