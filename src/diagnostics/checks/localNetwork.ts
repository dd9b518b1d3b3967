import { lookup } from 'node:dns/promises';
import { isInLocalNetwork, isLoopback, proxyFor } from '../../system/network.js';
import { type Check, fail, pass, skip, warn } from './check.js';

/**
 * macOS 15 and later block programs started by launchd from the local network, but not terminals: only the agent can
 * check it.
 */
export const localNetwork: Check = {
  id: 'local-network',
  title: 'the agent may reach a backend in the local network',
  macOnly: true,
  async run({ agent, config: { loaded } }) {
    const backend = new URL(loaded.config.backend.url);
    const proxy = proxyFor(loaded.network, backend);
    const { hostname } = proxy === undefined ? backend : new URL(proxy.url);
    const what = proxy === undefined ? 'the backend' : 'the proxy';
    if (isLoopback(hostname)) return skip(`${what} is on this Mac`);
    if (!(await isLocal(hostname))) return skip(`${what} is not in the local network`);
    if (agent.kind !== 'up')
      return skip('only the running agent can find out, because macOS allows it to every terminal');
    const problem = agent.snapshot.problems.find(({ code }) => code === 'backend_unreachable');
    if (problem === undefined) return pass('the running agent reaches it');
    const evidence = `the running agent: ${problem.message}`;
    return /\bEHOSTUNREACH\b/.test(problem.message)
      ? fail(evidence, problem.remedy)
      : warn(evidence, problem.remedy);
  },
};

async function isLocal(hostname: string): Promise<boolean> {
  if (isInLocalNetwork(hostname)) return true;
  try {
    const found = await lookup(hostname.replace(/^\[|\]$/g, ''), { all: true });
    return found.some(({ address }) => isInLocalNetwork(address));
  } catch {
    // The check of the name says so.
    return false;
  }
}
