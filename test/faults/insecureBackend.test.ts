import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { LoadedConfig } from '../../src/config/loadConfig.js';
import { agentInProcess } from '../support/agentInProcess.js';
import { problemsOnPage } from '../support/problemsOnPage.js';
import { until } from '../support/until.js';

const variables = {
  EDGE_SECRET: 's3cret-of-the-test',
  EDGE_HEALTH_ENABLED: 'true',
  EDGE_HEALTH_PORT: '0',
  EDGE_MONITOR_ENABLED: 'true',
  EDGE_MONITOR_PORT: '0',
};
const notLocal = (loaded: LoadedConfig): LoadedConfig => ({
  ...loaded,
  config: { ...loaded.config, backend: { ...loaded.config.backend, url: 'http://192.0.2.1' } },
});

// A configuration file with such an address is refused (`config_invalid`); a program that embeds the agent has no such
// file.
test('an agent that a program gives a backend without TLS sends it nothing, and says so everywhere', async () => {
  const { agent, state, logFile } = agentInProcess(variables, undefined, notLocal);
  await agent.start();
  const log = () => readFileSync(logFile, 'utf8');
  const isTold = (line: string) =>
    line.includes('Something is wrong') && line.includes('code=backend_insecure');
  await until(
    () => log().split('\n').some(isTold),
    () => `the line of the log; there is\n${log()}`,
  );
  const { state: health, problems, vital_signs: signs, monitor } = agent.snapshot();
  expect(health).toBe('degraded');
  expect(problems).toContainEqual(
    expect.objectContaining({ code: 'backend_insecure', remedy: expect.stringContaining('https://') }),
  );
  for (const name of ['can_post', 'is_answered', 'commands_reach_us'] as const)
    expect(signs[name]).toMatchObject({
      state: 'failing',
      codes: expect.arrayContaining(['backend_insecure']),
    });
  const url = /Health is served.* url=(\S+)/.exec(log())?.[1];
  expect(await (await fetch(`${url}/ready`)).json()).toMatchObject({
    ready: false,
    problems: expect.arrayContaining([expect.objectContaining({ code: 'backend_insecure' })]),
  });
  expect(await problemsOnPage(state, monitor.port ?? 0, Date.now())).toContain('backend_insecure');
  expect(log()).not.toContain(variables.EDGE_SECRET);
  await agent.stop();

  const mended = agentInProcess({ ...variables, EDGE_STATE_DIRECTORY: state });
  await mended.agent.start();
  expect(mended.agent.snapshot().problems.map(({ code }) => code)).not.toContain('backend_insecure');
});
