import { proveMarker } from '../../messages/applescript/proveMarker.js';
import { type Check, fail, type Outcome, pass } from '../checks/check.js';

const AGENT_MS = 25_000;
const REPORT =
  'Please report this with the macOS version: a failed send may be mistaken for one that never started, and be repeated.';

/** Sends nothing and needs no permission. The running agent remembers it, and relies on it from then on. */
export const marker: Check = {
  id: 'marker',
  title: 'what a script logs is written before its next statement runs',
  macOnly: true,
  async run({ agent, askAgent, config: { loaded }, env, clock }) {
    const answer = agent.kind === 'up' ? await askAgent({ verb: 'marker' }, AGENT_MS) : undefined;
    if (answer?.kind === 'answered') return judge(answer.result, 'proven by the running agent');
    const { imessage, state } = loaded.config;
    const own = { osascriptPath: imessage.osascript_path, stateDirectory: state.directory, env, clock };
    return judge(await proveMarker(own), 'proven; the agent relies on it once this runs beside it');
  },
};

function judge(proof: Awaited<ReturnType<typeof proveMarker>>, by: string): Outcome {
  return proof.proven ? pass(`${by}, ${proof.ms} ms after osascript was started`) : fail(proof.why, REPORT);
}
