import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { gatewayKeys } from '../../src/cli/gateway/gatewayKey.js';
import { secretsOf } from '../../src/gateway/ledger/agents.js';
import { SecretBox } from '../../src/gateway/ledger/SecretBox.js';
import { webhookWithSecrets } from '../../src/gateway/ledger/webhookEndpoints.js';
import { openGatewayDatabase } from '../../src/gateway/openGatewayDatabase.js';
import { systemClock } from '../../src/system/clock.js';
import { systemRandom } from '../../src/system/random.js';
import { ROOT } from '../docs/page.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { cleanEnvironment, runFreshCli } from '../support/runCli.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

const KILLER = pathToFileURL(join(ROOT, 'test/support/killAtRekeyStep.mjs')).href;
const AGENT = 'edge_13105550100';

test('a change of the key that is killed before any of its steps loses no secret, and is completed by the next one', async () => {
  const cwd = temporaryDirectory();
  const place = { cwd, env: cleanEnvironment(cwd) };
  const storage = { kind: 'sqlite', path: join(cwd, 'gateway.sqlite') } as const;
  const json = async (...args: string[]) =>
    JSON.parse((await runFreshCli(['gateway', ...args, '--json'], place)).stdout);
  const { secret } = await json('agents', 'add', '+13105550100');
  const { webhook, secret: signing } = await json('webhooks', 'add', 'https://app.example.com/hook');

  /** What opens now with the keys that are in the file. */
  const opened = async (): Promise<readonly unknown[]> => {
    const { key, before } = gatewayKeys(storage, undefined);
    const box = new SecretBox(key, before);
    const surroundings = { clock: systemClock, random: systemRandom, log: new RecordingLog() };
    const database = await openGatewayDatabase(storage, surroundings);
    try {
      const hook = await webhookWithSecrets(database, box, webhook.id, Date.now());
      return [...(await secretsOf(database, box, AGENT, Date.now())), ...(hook?.secrets ?? [])];
    } finally {
      await database.close();
    }
  };

  let kills = 0;
  for (;;) {
    const env = { ...place.env, NODE_OPTIONS: `--import=${KILLER}`, KILL_AT_STEP: String(kills + 1) };
    const { exitCode } = await runFreshCli(['gateway', 'rekey'], { cwd, env });
    expect(await opened()).toEqual([secret, signing]);
    if (exitCode === 0) break;
    expect(exitCode).toBeNull();
    kills += 1;
    const before = gatewayKeys(storage, undefined);
    expect((await runFreshCli(['gateway', 'rekey'], place)).exitCode).toBe(0);
    const after = gatewayKeys(storage, undefined);
    expect(after.before).toEqual([]);
    // A change that was begun continues with its key; the next one makes another.
    expect(after.key.equals(before.key)).toBe(before.before.length > 0);
    expect(await opened()).toEqual([secret, signing]);
  }
  // The key that comes, agents, webhooks, the audit log, the key that goes.
  expect(kills).toBeGreaterThanOrEqual(5);
});
