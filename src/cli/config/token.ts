import { trialToken } from '../../backend/credentials.js';
import { loadConfig } from '../../config/loadConfig.js';
import { EdgeError } from '../../errors.js';
import { systemClock } from '../../system/clock.js';
import { askAgent } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { places } from '../places.js';
import { complain, complainOf, print } from '../print.js';

/**
 * Makes a token of the configured secret and shows how to try the backend with it. It is as good as the secret for as long
 * as the backend takes it, so it is printed to a terminal, or where `print` asks for it: then the token alone.
 */
export async function token(options: { configPath?: string; print?: boolean }): Promise<number> {
  if (!process.stdout.isTTY && options.print !== true) {
    complain(
      'edge-agent: A token is a secret, and stdout is not a terminal: nothing is printed.',
      'To print it anyway: edge-agent token --print',
    );
    return EXIT.failed;
  }
  try {
    const loaded = loadConfig(places(options));
    const made = trialToken(loaded, await agentIdOf(options), systemClock.now());
    const { credentials, agentId, httpBase, webSocketUrl } = made;
    if (credentials.kind === 'none') {
      complain(`edge-agent: ${credentials.message}`, credentials.remedy);
      return EXIT.failed;
    }
    if (options.print === true) {
      print(credentials.token);
      return EXIT.ok;
    }
    complain('This is a secret: anyone who has it can act as this agent while the backend accepts it.');
    print(
      `TOKEN='${credentials.token}'`,
      '',
      `curl -sS -i '${httpBase}/edge/sync' -H "Authorization: Bearer $TOKEN" -H 'X-Edge-Agent-Id: ${agentId}' -H 'X-Edge-Protocol: 1' \\`,
      `  -H 'Content-Type: application/json' -d '{"edge_agent_id":"${agentId}"}'`,
      '',
      `npx wscat -c '${webSocketUrl}' -H "Authorization: Bearer $TOKEN" -H 'X-Edge-Agent-Id: ${agentId}'`,
      '',
      'Commands that arrive here stay unacked, so the agent gets them too. While this socket is open, it replaces the',
      'socket of the running agent; the agent reconnects on its own.',
    );
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return EXIT.invalidConfig;
  }
}

/** The id that a running agent goes by, which registration may have given it. */
async function agentIdOf(options: { configPath?: string }): Promise<string | undefined> {
  const asked = await askAgent(options, { verb: 'status' });
  if ('exitCode' in asked || asked.answer.kind !== 'answered') return undefined;
  return asked.answer.result.agent_id ?? undefined;
}
