import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../src/config/loadConfig.js';
import { EdgeAgent } from '../../src/daemon/EdgeAgent.js';
import { silent } from '../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../src/kit/backend/SimulatedBackend.js';
import { SimulatedMac } from '../../src/kit/messages/SimulatedMac.js';
import { createLogger } from '../../src/logging/createLogger.js';
import { programs } from '../../src/system/programs.js';
import { StandIns } from '../support/StandIns.js';
import { until } from '../support/until.js';

const PERSON = '+13105551234';
const secret = 'supervision-secret';

/** A real agent that takes this machine for a Mac, with stand-ins for the programs that supervise Messages. */
async function place(platform: NodeJS.Platform, options: { slow?: boolean } = {}) {
  const standIns = new StandIns();
  const { directory } = standIns;
  const mac = new SimulatedMac(join(directory, 'mac'));
  mac.chatDb.directChat(PERSON);
  const backend = await SimulatedBackend.start({ port: 0, secret, persona: silent });
  const caffeinate = standIns.write('caffeinate', 'exec sleep 60');
  const messages = standIns.messages();
  if (options.slow === true) standIns.write('pgrep', 'exit 1');
  const env = {
    PATH: process.env.PATH,
    EDGE_SECRET: secret,
    USER_PHONE: '+13105550100',
    BACKEND_URL: backend.url,
    EDGE_MONITOR_ENABLED: 'false',
    EDGE_STATE_DIRECTORY: join(directory, 'state'),
    EDGE_IMESSAGE_DB_PATH: mac.chatDbPath,
    EDGE_IMESSAGE_OSASCRIPT_PATH: mac.osascriptPath,
  };
  const loaded = loadConfig({ env, cwd: directory, homeDir: directory, platform: 'linux' });
  const log = createLogger({ file: loaded.config.logging.file, level: 'error', format: 'text' });
  const life = () =>
    new EdgeAgent({ loaded, env, log, platform, programs: programs({ ...messages.programs, caffeinate }) });
  let agent = life();
  await agent.start();
  await backend.until(() => backend.journal.connects.length > 0);
  onTestFinished(async () => {
    await agent.stop();
    log.close();
    await backend.stop();
    mac.close();
  });
  const send = (text: string) =>
    backend.pushCommand({ command_type: 'send_message_now', payload: { thread_id: PERSON, text } });
  const sent = () =>
    until(
      () => mac.sent().length === 1,
      () => 'the text',
    );
  const restart = async () => {
    agent = life();
    await agent.start();
  };
  return { standIns, mac, backend, agent, send, sent, restart };
}

test('on a Mac the first text waits until Messages is open, and the Mac is kept awake while the agent runs', async () => {
  const { standIns, mac, agent, send, sent } = await place('darwin');
  const began = performance.now();
  send('hello');
  await sent();
  expect(standIns.calls('open')).toEqual(['-g -j -b com.apple.MobileSMS']);
  expect(performance.now() - began).toBeGreaterThan(2_000);
  expect(mac.sent()[0]?.text).toBe('hello');
  await until(
    () => standIns.calls('caffeinate').length === 1,
    () => 'caffeinate',
  );
  expect(standIns.calls('caffeinate')).toEqual([`-i -m -s -w ${process.pid}`]);
  await agent.stop();
});

test('stopped while Messages is being opened, the agent does not wait for it, sends nothing, and loses nothing', async () => {
  const { standIns, mac, agent, send, restart, sent } = await place('darwin', { slow: true });
  send('for the next life');
  await until(
    () => agent.snapshot().sends_queued === 1,
    () => 'the text in its lane',
  );
  const began = performance.now();
  await agent.stop();
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(mac.sent()).toEqual([]);
  standIns.messages();
  await restart();
  await sent();
  expect(mac.sent()[0]?.text).toBe('for the next life');
});

test('elsewhere none of this happens, and nothing waits', async () => {
  const { standIns, send, sent } = await place('linux');
  send('hello');
  await sent();
  expect([standIns.calls('open'), standIns.calls('pgrep'), standIns.calls('caffeinate')]).toEqual([
    [],
    [],
    [],
  ]);
});
