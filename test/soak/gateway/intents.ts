import type { OutgoingMessage } from '../../../src/model/gatewayMessages.js';
import type { SentText } from './Application.js';
import type { Attempt } from './Bot.js';
import type { FollowedEvent } from './EventFollower.js';

/** A person wrote. In the order of writing within its conversation. */
export interface WrittenMessage {
  readonly agentId: string;
  readonly conversation: string;
  readonly guid: string;
  readonly text: string;
}

/** Everything that was asked, of the gateway and of the bot. */
export interface GatewayIntents {
  readonly texts: readonly SentText[];
  readonly messages: readonly WrittenMessage[];
  /** Where the texts of a conversation may go: the guid of its chat, and the address of its person. */
  readonly targets: ReadonlyMap<string, ReadonlySet<string>>;
}

/** What is left in the end to judge by: nothing of it is from inside a gateway or an agent. */
export interface GatewayEvidence {
  /** What Messages took on the Mac of each agent, oldest first. */
  readonly dispatches: ReadonlyMap<string, readonly { text: string; target: string }[]>;
  /** What arrived at the webhooks, oldest first. */
  readonly attempts: readonly Attempt[];
  /** What the stream of events gave, over all its connections. */
  readonly events: readonly FollowedEvent[];
  /** The REST answer for every message of each agent. */
  readonly shown: readonly OutgoingMessage[];
  /** What was seen on the way that may not be. */
  readonly offences: readonly string[];
}

/** The guid of the message of a person that an event brings. */
export function messageGuidIn(data: Readonly<Record<string, unknown>>): string | undefined {
  const { message } = data;
  if (typeof message !== 'object' || message === null || !('message_guid' in message)) return undefined;
  return String(message.message_guid);
}

/** Its number within its conversation. */
export function sequenceIn(data: Readonly<Record<string, unknown>>): number | undefined {
  const { message } = data;
  if (typeof message !== 'object' || message === null || !('sequence' in message)) return undefined;
  return Number(message.sequence);
}
