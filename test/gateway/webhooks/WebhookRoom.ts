import { randomBytes } from 'node:crypto';
import { onTestFinished } from 'vitest';
import type { WantedCommand } from '../../../src/gateway/application.js';
import { EventBell } from '../../../src/gateway/events/EventBell.js';
import { publishMessage } from '../../../src/gateway/ledger/agentReports.js';
import { endReplica, renewReplica } from '../../../src/gateway/ledger/connections.js';
import { eventId, publish, ringAfterCommit } from '../../../src/gateway/ledger/eventLog.js';
import { SecretBox } from '../../../src/gateway/ledger/SecretBox.js';
import { listDeliveries, type WebhookDelivery } from '../../../src/gateway/ledger/webhookDeliveries.js';
import { createWebhook } from '../../../src/gateway/ledger/webhookEndpoints.js';
import type { GatewayDatabase } from '../../../src/gateway/storage/GatewayDatabase.js';
import {
  WebhookDispatcher,
  type WebhookDispatcherOptions,
} from '../../../src/gateway/webhooks/WebhookDispatcher.js';
import type { MessageReply } from '../../../src/model/backendBodies.js';
import { type Clock, systemClock } from '../../../src/system/clock.js';
import { outboundBy } from '../../support/outbound.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { until } from '../../support/until.js';

export const AGENT = 'edge_13105550100';
const PERSON = '+13105551234';
const REPLICA = 'replica_1';
/** Longer than a test. */
const LEASE_MS = 3_600_000;

/** A clock whose wall time a test moves on; intervals take the time that they take. */
export class MovedClock implements Clock {
  private aheadMs = 0;
  readonly monotonic = systemClock.monotonic;
  readonly after = systemClock.after;
  now = () => systemClock.now() + this.aheadMs;

  move(ms: number): void {
    this.aheadMs += ms;
  }
}

/** The webhooks of a gateway with everything that they need, and agents that only write down what they are given. */
export class WebhookRoom {
  readonly clock = new MovedClock();
  readonly log = new RecordingLog();
  readonly box = new SecretBox(randomBytes(32));
  readonly commands: WantedCommand[] = [];
  /** The answers to messages by their guids. */
  readonly replies = new Map<string, MessageReply>();
  readonly bell: EventBell;
  private events = 0;

  constructor(readonly database: GatewayDatabase) {
    this.bell = new EventBell(database, systemClock, this.log);
  }

  /** Starts a replica of the dispatcher, which has a lease. */
  async start(changed: Partial<WebhookDispatcherOptions> = {}): Promise<WebhookDispatcher> {
    const { replicaId = REPLICA } = changed;
    await this.database.transaction((tx) => renewReplica(tx, replicaId, LEASE_MS, this.clock.now()));
    const dispatcher = new WebhookDispatcher({
      database: this.database,
      bell: this.bell,
      box: this.box,
      clock: this.clock,
      random: () => 0,
      outbound: outboundBy(),
      log: this.log,
      replicaId,
      version: '0.0.0',
      allowPrivateAddresses: true,
      commands: {
        add: async (_transaction, _agentId, command) => {
          if (!this.commands.some(({ commandId }) => commandId === command.commandId))
            this.commands.push(command);
          return true;
        },
        addFresh: async () => true,
      },
      replies: {
        answer: async (_transaction, _agentId, guid, reply) => {
          if (this.replies.has(guid)) return 'late';
          this.replies.set(guid, reply);
          return 'given';
        },
      },
      ...changed,
    });
    dispatcher.start();
    onTestFinished(() => dispatcher.stop());
    return dispatcher;
  }

  /** A replica dies: its lease ends, and another one takes over. */
  async endLease(replicaId = REPLICA): Promise<void> {
    await this.database.transaction((tx) => endReplica(tx, replicaId, 'it died'));
    this.bell.ring();
  }

  async webhook(url: string, events: readonly string[] = ['*']): Promise<{ id: string; secret: string }> {
    const wanted = { keyId: 'key_1', url, events, agents: null, description: null };
    const { endpoint, secret } = await this.database.transaction((tx) =>
      createWebhook(tx, this.box, wanted, this.clock.now()),
    );
    return { id: endpoint.id, secret };
  }

  /** Something happens in a conversation; gives the id of the event. */
  async happen(conversation: string | null = PERSON): Promise<string> {
    this.events += 1;
    const id = eventId('test', this.events);
    const data = { event_type: 'backend_checkpoint', conversation, details: { n: this.events } };
    await this.database.transaction(async (tx) => {
      const event = {
        id,
        type: 'agent.event',
        agentId: AGENT,
        conversation,
        data,
        at: this.clock.now(),
      } as const;
      await publish(tx, event, this.clock.now());
      ringAfterCommit(tx, (isForWebhooks) => this.bell.ring(isForWebhooks));
    });
    return id;
  }

  /** A person writes; returns the id of the event. */
  async receive(guid: string, text = 'hi'): Promise<string> {
    const body = { message_guid: guid, thread_id: PERSON, sender: PERSON, filtered_text: text };
    await this.database.transaction(async (tx) => {
      await publishMessage(tx, AGENT, guid, body, this.clock.now());
      ringAfterCommit(tx, (isForWebhooks) => this.bell.ring(isForWebhooks));
    });
    return eventId('message.received', AGENT, guid);
  }

  /** Time passes by the wall clock, at once, and the dispatcher looks for what is due then. */
  later(ms: number): void {
    this.clock.move(ms);
    this.bell.ring();
  }

  deliveries(webhook: string): Promise<WebhookDelivery[]> {
    return listDeliveries(this.database, webhook, { state: undefined, before: undefined, limit: 100 });
  }

  /** Resolves when all deliveries of a webhook are as the condition wants them. */
  async settled(
    webhook: string,
    isSettled: (all: readonly WebhookDelivery[]) => boolean,
  ): Promise<WebhookDelivery[]> {
    let all: WebhookDelivery[] = [];
    const look = async () => {
      all = await this.deliveries(webhook);
      return isSettled(all);
    };
    await until(look, () => `deliveries (${JSON.stringify(all)})`);
    return all;
  }
}
