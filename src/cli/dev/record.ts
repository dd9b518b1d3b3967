import { normaliseBase, parseBackendUrl, shownAddress } from '../../config/backendUrls.js';
import { EdgeError } from '../../errors.js';
import { RecordingProxy } from '../../kit/transcript/RecordingProxy.js';
import { TranscriptFile } from '../../kit/transcript/TranscriptFile.js';
import { systemClock } from '../../system/clock.js';
import { packageVersion } from '../../system/version.js';
import { EXIT } from '../exitCodes.js';
import { complain, complainOf, print } from '../print.js';
import { untilSignal } from '../untilSignal.js';

export interface RecordFlags {
  readonly listen: string;
  readonly out?: string;
  readonly mostMb: string;
}

/** Records the redacted traffic between an agent and its backend until it is stopped. */
export async function record(options: RecordFlags, address: string): Promise<number> {
  const port = Number(options.listen);
  const megabytes = Number(options.mostMb);
  const judged = parseBackendUrl(address);
  const mistake = [
    judged.kind === 'refused'
      ? `the backend: expected ${judged.expected}, found "${shownAddress(address)}"`
      : undefined,
    Number.isInteger(port) && port >= 0 && port <= 65_535
      ? undefined
      : '--listen: expected a port from 0 to 65535',
    megabytes > 0 ? undefined : '--most-mb: expected a number above 0',
  ].find((words) => words !== undefined);
  if (mistake !== undefined) {
    complain(`edge-agent: ${mistake}`);
    return EXIT.usage;
  }
  const at = new Date(systemClock.now()).toISOString();
  const path = options.out ?? `edge-agent-${at.replace(/[:.]/g, '-')}.jsonl`;
  let transcript: TranscriptFile | undefined;
  try {
    const stopped = untilSignal();
    const printEnd = (why: string) =>
      complain(`Nothing more is recorded: ${why}. Traffic is still forwarded.`);
    transcript = new TranscriptFile(path, packageVersion(), megabytes * 1_000_000, systemClock, printEnd);
    const proxy = await RecordingProxy.start(normaliseBase(address), port, transcript);
    print(
      `Traffic is recorded in ${path}, without texts, numbers and secrets. Connect the agent to it:`,
      `  BACKEND_URL=${proxy.url} edge-agent run`,
      'Ctrl-C ends it.',
    );
    await stopped;
    await proxy.stop();
    print(`Recorded: ${path}`);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return EXIT.failed;
  } finally {
    transcript?.close();
  }
}
