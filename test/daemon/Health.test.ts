import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../src/config/loadConfig.js';
import { Health } from '../../src/daemon/Health.js';
import { systemClock } from '../../src/system/clock.js';
import { outboundBy } from '../support/outbound.js';
import { statusFixture } from '../support/statusFixture.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

test('a message that is posted again after it was set aside is counted once', async () => {
  const directory = temporaryDirectory();
  const env = {
    USER_PHONE: '+13105550100',
    BACKEND_URL: 'http://127.0.0.1:9',
    EDGE_HEALTH_ENABLED: 'true',
    EDGE_HEALTH_PORT: '0',
  };
  const { config } = loadConfig({ env, cwd: directory, homeDir: directory, platform: 'linux' });
  const store = temporaryStore(systemClock);
  const nothing = () => undefined;
  let url = '';
  const health = new Health({
    config: () => config,
    components: {
      acks: { onGiven: nothing },
      outgoing: { onOutcome: nothing, onStarted: nothing },
      forwarder: { onPost: nothing },
      commandTypes: [],
    } as unknown as ConstructorParameters<typeof Health>[0]['components'],
    store,
    version: '1.0.0',
    snapshot: () => statusFixture(),
    startedAt: 0,
    outbound: outboundBy(),
    env,
    platform: 'linux',
    clock: systemClock,
    log: {
      debug: nothing,
      info: (_, fields) => {
        url = String(fields?.url);
      },
      warn: nothing,
      error: nothing,
    },
  });
  await health.start();
  onTestFinished(() => health.stop());
  const message = {
    guid: 'GUID-1',
    conversation: '+13105551234',
    threadId: 'iMessage;-;+13105551234',
    text: 'hello',
    sentAt: Date.now(),
  } as unknown as Parameters<typeof store.incoming.add>[0];
  store.write(() => store.incoming.add(message));
  const [stored] = store.incoming.open('+13105551234', 1);
  store.write(() => store.incoming.settle(stored?.seq ?? 0, 'parked', 'refused'));
  store.write(() => store.deadLetters.reopen('GUID-1'));
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toMatch(/^edge_agent_messages_received_total 1$/m);
});
