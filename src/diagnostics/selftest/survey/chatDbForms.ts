import { ChatDbConnection, probe } from '../../../messages/chatdb/ChatDbConnection.js';
import { regionOf } from '../../../messages/conversationId.js';
import { type Check, type ConfiguredBench, type Outcome, pass, skip, warn } from '../../checks/check.js';
import { silentLog } from '../silentLog.js';
import { CHAT_ASSUMPTIONS } from './chatAssumptions.js';
import { CONTENT_ASSUMPTIONS } from './contentAssumptions.js';
import { readSurvey } from './readSurvey.js';
import { ROW_ASSUMPTIONS } from './rowAssumptions.js';
import { type Assumption, judged } from './Survey.js';

/** Every assumption about the rows of chat.db that the rows themselves can prove or contradict. */
export const ASSUMPTIONS: readonly Assumption[] = [
  ...ROW_ASSUMPTIONS,
  ...CONTENT_ASSUMPTIONS,
  ...CHAT_ASSUMPTIONS,
];

const REPORT = 'Please report this with the saved report and the macOS version.';

/**
 * Surveys the newest rows of chat.db, reading only: which assumptions of docs/macos.md they agree with, which they contradict, and
 * of which there is no row. `details` has the counts of each; nothing of what the rows say, nor of whom.
 */
export const chatDbForms: Check = {
  id: 'chatdb-forms',
  title: 'the newest rows of chat.db are written as the agent assumes',
  run(context) {
    const { imessage, edge } = context.config.loaded.config;
    const file = probe(imessage.db_path);
    if (!file.ok) return skip('chat.db cannot be read here: see chatdb-access');
    const connection = new ChatDbConnection(imessage.db_path, context.clock, silentLog);
    try {
      return survey(context, connection, [
        edge.user_phone,
        ...edge.own_addresses,
        ...(edge.apple_id === undefined ? [] : [edge.apple_id]),
      ]);
    } finally {
      connection.close();
    }
  },
};

function survey(context: ConfiguredBench, connection: ChatDbConnection, own: readonly string[]): Outcome {
  const region = regionOf(context.config.loaded.config.edge.user_phone);
  const reading = connection.read((open) => readSurvey(open, { clock: context.clock, region, own }));
  if (reading.kind === 'busy') return skip('another program keeps chat.db locked');
  if (reading.kind === 'closed') return skip('chat.db cannot be read here: see chatdb-access');
  const { rows, isCut } = reading.value;
  if (rows.length === 0) return skip('chat.db has no rows yet');
  const results = ASSUMPTIONS.map((assumption) => ({ assumption, ...judged(assumption, reading.value) }));
  const of = (result: string) => results.filter((one) => one.result === result);
  const contradicted = of('contradicted');
  const scope = `${rows.length} rows${isCut ? ', no more in the time given' : ''}`;
  const counts = `${of('agrees').length} assumptions agree, ${of('absent').length} have no such row`;
  const names = contradicted.map(
    ({ id, agree, contradict }) => `${id} (${contradict} of ${agree + contradict})`,
  );
  const outcome =
    contradicted.length === 0
      ? pass(`${scope}: ${counts}`)
      : warn(
          `${scope}: ${counts}, contradicted: ${names.join(', ')}`,
          [...contradicted.map(({ id, assumption }) => `${id}: ${assumption.cost}`), REPORT].join(' '),
        );
  return { ...outcome, details: results.map(({ assumption: _assumption, ...result }) => result) };
}
