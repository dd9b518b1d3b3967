import type { Chance } from './Chance.js';
import { damagedText, hostileText, hostileValue, mutated } from './hostile.js';

const PEOPLE = [
  '+13105551234',
  '+13105550199',
  'ann@example.com',
  'chat123456789012345',
  '(310) 555-1234',
] as const;

type Payload = (chance: Chance, salt: string) => Record<string, unknown>;

const person = (chance: Chance) => (chance.oneIn(20) ? hostileText(chance) : chance.pick(PEOPLE));
const text = (chance: Chance) => (chance.oneIn(2) ? 'See you at 6' : hostileText(chance));

/** A payload for each type of command, as the documents have it. */
const PAYLOADS: Readonly<Record<string, Payload>> = {
  send_message_now: (chance) => ({ thread_id: person(chance), text: text(chance), bubble_type: 'normal' }),
  send_message: (chance) => ({
    recipient: person(chance),
    message: text(chance),
    ...(chance.oneIn(2) ? { in_reply_to: hostileText(chance, 30) } : {}),
    ...(chance.oneIn(4)
      ? {
          attachments: [
            {
              filename: hostileText(chance, 20),
              data_base64: Buffer.from(hostileText(chance)).toString('base64'),
            },
          ],
        }
      : {}),
  }),
  schedule_message: (chance, salt) => ({
    schedule_id: `s-${salt}`,
    thread_id: person(chance),
    message_text: text(chance),
    send_at: chance.pick(['2031-01-01T00:00:00Z', 1_924_992_000, '1924992000', 'tomorrow', '2031-13-45']),
  }),
  cancel_scheduled: (chance, salt) => ({ schedule_id: chance.oneIn(2) ? `s-${salt}` : hostileText(chance) }),
  list_scheduled: () => ({}),
  context_update: (chance) => ({
    chat_guid: person(chance),
    app_id: 'a',
    room_id: hostileText(chance),
    state: hostileValue(chance),
  }),
  context_reset: (chance) => ({ chat_guid: person(chance) }),
  emit_event: (chance) => ({ event_type: 'x', details: hostileValue(chance) }),
  update_config: (chance) => ({
    [chance.pick(['sync_interval', 'outgoing.bubble_delay_ms', '__proto__'])]: hostileValue(chance),
  }),
  upload_retry: (chance) => ({ attachment_guid: hostileText(chance, 30) }),
};
const TYPES = Object.keys(PAYLOADS);

/** A command, mostly one that can be read. */
export function commandOf(chance: Chance, salt: string): unknown {
  const type = TYPES[chance.below(TYPES.length)] ?? 'send_message';
  const command = {
    command_id: `c-${salt}`,
    command_type: chance.oneIn(6) ? type.toUpperCase() : type,
    payload: PAYLOADS[type]?.(chance, salt) ?? {},
    priority: chance.pick(['normal', 'immediate', 'low']),
    timestamp: new Date().toISOString(),
  };
  return chance.oneIn(3) ? mutated(chance, command) : command;
}

const SETTINGS = { 'outgoing.bubble_delay_ms': 100, 'forward.reactions': true, unknown: 1 };

/** What the backend sends by its socket: a text, or the bytes of a binary frame. */
export function frameOf(chance: Chance, salt: string): string | Buffer {
  if (chance.oneIn(60)) return Buffer.from(hostileText(chance));
  if (chance.oneIn(30)) return hostileText(chance);
  const command = commandOf(chance, salt);
  const frame = chance.pick([
    { type: 'command', data: command },
    { type: 'command', payload: command },
    { type: 'command', ...Object(command) },
    { type: 'config_update', data: mutated(chance, SETTINGS) },
    { type: 'connected', accepts: hostileValue(chance) },
    { type: 'error', data: { message: hostileText(chance) } },
    { type: 'pong', timestamp: hostileValue(chance) },
    { type: hostileText(chance, 20), data: hostileValue(chance) },
  ]);
  const said = JSON.stringify(chance.oneIn(8) ? mutated(chance, frame) : frame);
  return chance.oneIn(6) ? damagedText(chance, said) : said;
}

/** The body of an answer to a sync. */
export function syncReplyOf(chance: Chance, salt: string): string {
  if (chance.oneIn(40)) return hostileText(chance);
  // More of them are stored piece by piece, with other work in between.
  const count = chance.oneIn(300) ? 100 : chance.below(4);
  const reply = {
    commands: chance.times(count, (index) => commandOf(chance, `${salt}-${index}`)),
    ack_events: chance.times(chance.below(3), () => hostileValue(chance)),
    ack_commands: [`c-${salt}`, hostileText(chance, 10)],
    config_updates: chance.oneIn(5) ? mutated(chance, SETTINGS) : null,
  };
  const said = JSON.stringify(chance.oneIn(5) ? mutated(chance, reply) : reply);
  return chance.oneIn(8) ? damagedText(chance, said) : said;
}
