#!/usr/bin/env node
import { describeError, EdgeError } from '../errors.js';
import { hideFromNode } from '../system/environment.js';
import { EXIT } from './exitCodes.js';
import { plainStatus } from './inspect/plainStatus.js';
import { complain, complainOf } from './print.js';

hideFromNode();
void main();

async function main(): Promise<void> {
  try {
    // Asked often and by programs, `status` must start fast: reading it needs no commander, which costs as much as the rest.
    const asked = plainStatus(process.argv.slice(2));
    if (asked === undefined) await (await import('./program.js')).runProgram();
    else process.exitCode = await (await import('./inspect/status.js')).status(asked);
  } catch (error) {
    if (error instanceof EdgeError) complainOf(error);
    else complain(`edge-agent: ${describeError(error)}`);
    process.exitCode = EXIT.failed;
  }
}
