import { DaemonWorld } from './DaemonWorld.mjs';
import { bounded } from './figures.mjs';

const COMMANDS = 20_000;
const MESSAGES = 20_000;
const PEOPLE = 200;
/** Of a text that is scheduled and then cancelled: stored, cancelled, and the cancelling itself. */
const ACKS_A_PAIR = 3;
const MB = 1024 * 1024;

/** A daemon that has done much. */
export async function run() {
  const world = await DaemonWorld.open();
  const fresh = await world.usage();
  await takeCommands(world);
  await takeMessages(world);
  const worked = await world.usage();
  await world.close();
  return [
    bounded({
      what: `RSS after ${COMMANDS / 1000}k commands, ${MESSAGES / 1000}k messages`,
      measured: worked.rss / MB,
      reference: { name: 'right after its start', value: fresh.rss / MB },
      unit: 'MB',
      most: 90,
    }),
  ];
}

/** Half schedule a text far ahead, half cancel one: no text is sent, every command is stored, executed and acked. */
async function takeCommands({ backend }) {
  const sendAt = new Date(Date.now() + 300 * 86_400_000).toISOString();
  for (let number = 0; number < COMMANDS / 2; number++) {
    const payload = {
      thread_id: `+1310555${1000 + (number % PEOPLE)}`,
      message_text: 'Later',
      send_at: sendAt,
    };
    backend.pushCommand({ command_id: `cmd_s${number}`, command_type: 'schedule_message', payload });
    backend.pushCommand({
      command_id: `cmd_c${number}`,
      command_type: 'cancel_scheduled',
      payload: { schedule_id: `cmd_s${number}` },
    });
    if (number % 100 === 0) await backend.until(() => backend.acks.length >= number * ACKS_A_PAIR, 60_000);
  }
  await backend.until(() => ended(backend) >= COMMANDS, 60_000);
}

/** How many commands have their last ack; an ack may come more than once. */
function ended({ acks }) {
  const isLast = ({ body }) => body.command_id.startsWith('cmd_c') || body.status === 'failed';
  return new Set(acks.filter(isLast).map(({ body }) => body.command_id)).size;
}

/** In chunks of several conversations, so that as many are posted at a time as the agent allows. */
async function takeMessages({ backend, mac }) {
  for (let person = 0; person < PEOPLE; person += 10) {
    for (let offset = 0; offset < 10; offset++) {
      mac.chatDb.bulkReceive(MESSAGES / PEOPLE, { from: `+1310555${1000 + person + offset}` });
    }
    await backend.until(() => backend.messages.size >= ((person + 10) * MESSAGES) / PEOPLE, 120_000);
  }
}
