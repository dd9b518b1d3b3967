import { createHash } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PROTOCOL_RULES } from '../../src/backend/linkTypes.js';
import { parseFrame, parseSyncReply } from '../../src/backend/protocol.js';
import { Acks, Commands } from '../../src/commands/Commands.js';
import { judgeRemote } from '../../src/config/remoteSettings.js';
import { readYaml } from '../../src/config/yamlFile.js';
import { readClientFrame } from '../../src/monitor/monitorFrames.js';
import { systemClock } from '../../src/system/clock.js';
import { INPUT_LIMITS } from '../../src/system/inputLimits.js';
import { FakeClock } from '../support/FakeClock.js';
import { makeLink } from '../support/makeLink.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryStore } from '../support/temporaryStore.js';
import { until } from '../support/until.js';

const DEPTH = 500_000;
const lists = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

describe('an endlessly nested command', () => {
  test.each([
    ['lists', lists(DEPTH)],
    ['objects', objects(DEPTH)],
    ['lists in a field', `{"text":${lists(DEPTH)}}`],
    ['one level too many', `{"a":${lists(INPUT_LIMITS.nesting)}}`],
  ])(
    'of %s keeps its id, is acked as invalid, and those behind it in the batch are executed',
    (_name, payload) => {
      const frames = [
        `{"type":"command","data":{"command_id":"bad","command_type":"t","payload":${payload}}}`,
        '{"type":"command","data":{"command_id":"good","command_type":"t","payload":{}}}',
      ].map(parseFrame);
      const commands = frames.flatMap((frame) => (frame.type === 'command' ? [frame.command] : []));
      expect(commands.map(({ commandId }) => commandId)).toEqual(['bad', 'good']);
      const clock = new FakeClock();
      const store = temporaryStore(clock);
      const ran: string[] = [];
      const run = ({ commandId }: { commandId: string }) => {
        ran.push(commandId);
        return { kind: 'completed' } as const;
      };
      new Commands(store, new Acks(store, clock), new RecordingLog(), [{ types: ['t'], run }]).receive(
        commands,
        'websocket',
      );
      expect(ran).toEqual(['good']);
      expect(store.commands.find('bad')?.ack).toMatchObject({ status: 'failed' });
      expect(store.commands.find('good')?.ack).toMatchObject({ status: 'completed' });
    },
  );

  test('comes by a sync as well', () => {
    const reply = parseSyncReply(
      JSON.parse(
        `{"commands":[{"command_id":"bad","command_type":"t","payload":${lists(DEPTH)}},{"command_id":"good"}]}`,
      ),
    );
    expect(reply?.commands.map(({ commandId, fault }) => [commandId, fault === null])).toEqual([
      ['bad', false],
      ['good', false],
    ]);
  });

  test('exactly as deep as allowed is accepted', () => {
    const frame = parseFrame(
      `{"type":"command","data":{"command_id":"x","command_type":"t","payload":{"a":${lists(INPUT_LIMITS.nesting - 1)}}}}`,
    );
    expect(frame).toMatchObject({ type: 'command', command: { fault: null } });
  });
});

test.each([
  ['endlessly nested settings', `{"type":"config_update","data":${objects(DEPTH)}}`],
  ['a command_id of 1 MB', `{"type":"command","data":{"command_id":"${'x'.repeat(1_000_000)}"}}`],
])('%s are a malformed frame', (_name, text) => {
  expect(parseFrame(text).type).toBe('malformed');
});

test('endless settings are refused by name, up to a limit', () => {
  const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`made.up.${index}`, 1]));
  expect(judgeRemote(many).refused.length).toBeLessThanOrEqual(1_001);
  expect(judgeRemote({ ['x'.repeat(1_000_000)]: 1 }).refused).toHaveLength(1);
});

test.each([
  ['lists', lists(100_000)],
  ['objects', objects(100_000)],
  ['an endless file', '# \n'.repeat(1_000_000)],
])('a configuration file of %s is reported as a mistake', (_name, source) => {
  expect(readYaml(source)).toMatchObject({ complete: false, problems: [{ key: '' }] });
});

test('a frame that consists of structure alone is refused before it is parsed', () => {
  const text = `{"type":"command","data":[${'[],'.repeat(INPUT_LIMITS.syncPieces / 2)}1]}`;
  expect(parseFrame(text)).toMatchObject({ type: 'malformed', reason: expect.stringContaining('2000000') });
});

test('an endlessly nested request to the monitor is refused', () => {
  const text = `{"type":"request","data":{"id":"1","verb":"status","args":{"a":${lists(20_000)}}}}`;
  expect(readClientFrame(text)).toMatchObject({ kind: 'refused' });
});

describe('a backend that pings and does not read', () => {
  const ACCEPT = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
  const text = (said: string) => Buffer.concat([Buffer.from([0x81, said.length]), Buffer.from(said)]);
  const ping = Buffer.concat([Buffer.from([0x89, 125]), Buffer.alloc(125, 1)]);

  test.each([
    ['by the protocol', ping],
    ['by frames', text('{"type":"ping"}')],
  ])('%s costs no more memory than the send buffer may hold', async (_name, frame) => {
    let peer: Socket | undefined;
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (head) => {
        const key = /sec-websocket-key: (.*)\r\n/i.exec(head.toString())?.[1] ?? '';
        const accept = createHash('sha1')
          .update(key + ACCEPT)
          .digest('base64');
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        socket.pause();
        peer = socket;
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      peer?.destroy();
      server.close();
    });
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { link } = makeLink(() => `ws://127.0.0.1:${port}/`, systemClock, PROTOCOL_RULES);
    onTestFinished(() => {
      link.feed({ type: 'drain', deadline: 0 });
      link.feed({ type: 'settled' });
    });
    link.feed({ type: 'start', websocket: true });
    await until(
      () => peer !== undefined,
      () => 'the handshake',
    );
    const flood = Buffer.concat(Array.from({ length: 1_000 }, () => frame));
    let highest = 0;
    for (let round = 0; round < 100; round += 1) {
      await new Promise<void>((resolve) => {
        if (peer?.write(flood) === true) setImmediate(resolve);
        else peer?.once('drain', resolve);
      });
      highest = Math.max(highest, link.backlog);
    }
    expect(highest).toBeLessThanOrEqual(INPUT_LIMITS.socketBacklog + 1_000);
  });
});
