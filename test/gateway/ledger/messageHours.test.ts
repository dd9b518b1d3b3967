import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { addAgent, removeAgent } from '../../../src/gateway/ledger/agents.js';
import { endText } from '../../../src/gateway/ledger/endOrder.js';
import { messageHours } from '../../../src/gateway/ledger/messageHours.js';
import { addMessage } from '../../../src/gateway/ledger/messages.js';
import { endOrdersOf } from '../../../src/gateway/ledger/removedAgents.js';
import { SecretBox } from '../../../src/gateway/ledger/SecretBox.js';
import { gatewayEngines } from '../gatewayEngines.js';
import { tellAck } from './tellAck.js';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 20, 8, 30);
const [ONE, TWO] = ['edge_1', 'edge_2'];
const ACKS = {
  sent: { status: 'completed', result: { outcome: 'sent' } },
  failed: { status: 'failed', error: 'send_failed: no', result: { outcome: 'not_sent' } },
  unknown: { status: 'failed', error: 'outcome_unknown: who knows', result: { outcome: 'unknown' } },
} as const;

test.each(gatewayEngines())(
  'messages are counted by the hour in which they were requested, on $name',
  async ({ open }) => {
    const database = await open();
    const box = new SecretBox(randomBytes(32));
    let count = 0;
    const send = async (agentId: string, at: number, outcome?: keyof typeof ACKS, tripMs = 100) => {
      count += 1;
      const id = `msg_${count}`;
      const request = { text: 'hello', attachments: [], sendAt: null, inReplyTo: null };
      await database.transaction(async (tx) => {
        await tx.lock(agentId);
        addMessage(tx, { agentId, id, keyId: null, conversation: '+1', request }, at);
      });
      if (outcome === undefined) return;
      await database.transaction(async (tx) => {
        await tx.lock(agentId);
        const ack = { command_id: id, revision: 1, ...ACKS[outcome] };
        await tellAck(tx, agentId, ack, 'send_message_now', at + tripMs);
      });
    };
    for (const id of [ONE, TWO])
      await database.transaction((tx) => addAgent(tx, box, { id, name: null, isInvited: false }, NOW));
    await send(ONE, NOW - 25 * HOUR, 'sent');
    for (const trip of [300, 100, 200]) await send(ONE, NOW - 2 * HOUR, 'sent', trip);
    await send(TWO, NOW - 2 * HOUR, 'failed', 900);
    await send(TWO, NOW, 'unknown', 50);
    await send(TWO, NOW);
    const hoursOf = async (agents: readonly string[] | null) => {
      const { hours, since } = await messageHours(database, agents, NOW);
      expect([hours.length, since, hours[0]?.from]).toEqual([24, '2026-11-19T09:00:00.000Z', since]);
      return hours.flatMap(({ from, sent, failed, unknown, round_trip_ms: trip }) =>
        sent + failed + unknown + (trip ?? 0) === 0
          ? []
          : [[from.slice(11, 13), sent, failed, unknown, trip]],
      );
    };
    expect(await hoursOf(null)).toEqual([
      ['06', 3, 1, 0, 300],
      ['08', 0, 0, 1, 50],
    ]);
    expect(await hoursOf([ONE])).toEqual([['06', 3, 0, 0, 200]]);
    expect(await hoursOf([])).toEqual([]);
    // What ends because it cannot be read was not acked, nor what ends by the removal of its agent.
    await send(ONE, NOW);
    await database.transaction((tx) =>
      endText(tx, ONE, `msg_${count}`, { kind: 'damage', at: NOW }, NOW + 60),
    );
    expect(await hoursOf([ONE])).toEqual([
      ['06', 3, 0, 0, 200],
      ['08', 0, 0, 1, null],
    ]);
    await database.transaction((tx) => removeAgent(tx, TWO, NOW));
    await endOrdersOf(database, TWO, NOW + 7_000);
    expect(await hoursOf([TWO])).toEqual([
      ['06', 0, 1, 0, 900],
      ['08', 0, 0, 2, 50],
    ]);
  },
);
