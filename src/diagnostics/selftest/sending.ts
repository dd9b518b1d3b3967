import { maskHandle } from '../../logging/mask.js';
import { OsascriptRunner } from '../../messages/applescript/OsascriptRunner.js';
import type { TargetForm } from '../../messages/applescript/scripts.js';
import { ChatDb, findText } from '../../messages/chatdb/ChatDb.js';
import { type SeenState, statesAfter, wordsOf } from '../../messages/chatdb/rowStates.js';
import type { ChatDbSentRow } from '../../messages/chatdb/sentRows.js';
import { conversationKey, regionOf } from '../../messages/conversationId.js';
import { SELFTEST_WORDS } from '../../model/operatorApi.js';
import type { Problem } from '../../model/problem.js';
import { sleep, type Timer } from '../../system/clock.js';
import { freshId, randomHex } from '../../system/random.js';
import { type Check, type ConfiguredBench, fail, type Outcome, pass, skip, warn } from '../checks/check.js';
import { silentLog } from './silentLog.js';

/** A row appears within 2 s as a rule; the agent may first have others to send, and Messages to start. */
const ROW_PATIENCE_MS = 45_000;
const ECHO_PATIENCE_MS = 15_000;
const DELIVERY_PATIENCE_MS = 30_000;
const LOOK_EVERY_MS = 100;
/** A row stays in its first state for a moment only. */
const WATCH_EVERY_MS = 10;
const MOST_ROWS = 200;
const SEE_MESSAGES = 'Check whether the text is in Messages, and whether the screen shows a dialog.';

const NO_MARKER = 'osascript sent it without logging the dispatch marker first';
const REPORT =
  'Please report this with the macOS version: a failed send may be mistaken for one that never started, and be repeated.';

/** How long the agent waits for a row to show whether it was sent (`PATIENCE.direction`). */
const SETTLED_WITHIN_MS = 1000;
const REPORT_STATES =
  'Please report this with the macOS version: the agent may treat its own text as a message, and withdraw it later.';

/** The text that was sent, for the checks behind it. */
interface Sent {
  readonly text: string;
  readonly afterRow: number;
  readonly guid: string;
  readonly states: readonly RowState[];
}

/** How a row stood, from so many ms after the text was asked for. */
interface RowState extends SeenState {
  readonly ms: number;
}

/**
 * A real text to our own number: by the running agent, whose permissions are then proven too, else by this program. The
 * four checks belong together and share the sent text, so they are created for each selftest.
 */
export function sendingChecks(): readonly Check[] {
  let sent: Sent | undefined;
  const afterSending =
    (work: (context: ConfiguredBench, chatDb: ChatDb, sent: Sent) => Promise<Outcome>) =>
    (context: ConfiguredBench): Outcome | Promise<Outcome> => {
      const known = sent;
      if (known === undefined) return skip('nothing was sent');
      return withChatDb(context, (chatDb) => work(context, chatDb, known));
    };
  return [
    {
      id: 'send',
      title: 'a text to our own number is sent and confirmed in chat.db',
      async run(context) {
        const refusal = await permissionToSend(context);
        if (refusal !== undefined) return refusal;
        return withChatDb(context, async (chatDb) => {
          const { outcome, confirmed } = await send(context, chatDb);
          sent = confirmed;
          return outcome;
        });
      },
    },
    {
      id: 'first-states',
      title: 'how the row of our text is written, until it shows that it was sent',
      run: afterSending(async (_bench, _chatDb, { states }) => firstStates(states)),
    },
    {
      id: 'echo',
      title: 'a text to ourselves comes back as a row of its own',
      run: afterSending(async (context, chatDb, { text, afterRow }) => {
        const found = await within(context, ECHO_PATIENCE_MS, () =>
          findText(chatDb, text, afterRow).received ? true : undefined,
        );
        if (found !== undefined) return pass(`after ${found.ms} ms`);
        const remedy = 'Harmless: imessage.canary_minutes then proves only that texts can be sent.';
        return warn(`none within ${ECHO_PATIENCE_MS / 1000} s`, remedy);
      }),
    },
    {
      id: 'delivery',
      title: 'Messages notes that the text was delivered',
      run: afterSending(async (context, chatDb, { guid }) => {
        const found = await within(context, DELIVERY_PATIENCE_MS, () => {
          const row = chatDb.sentRow(guid);
          return row !== undefined && (row.isDelivered || row.error !== 0) ? row : undefined;
        });
        if (found === undefined) {
          return warn(
            `not noted within ${DELIVERY_PATIENCE_MS / 1000} s`,
            'Look in Messages for "Delivered".',
          );
        }
        const { error } = found.value;
        return error === 0 ? pass(`after ${found.ms} ms`) : fail(`error ${error}`, SEE_MESSAGES);
      }),
    },
  ];
}

async function permissionToSend(context: ConfiguredBench): Promise<Outcome | undefined> {
  const own = maskHandle(context.config.loaded.config.edge.user_phone);
  if (!context.send) return skip('requested by --send');
  const agreed = await context.confirm(`Send a text to our own number ${own} now?`);
  return agreed ? undefined : skip('not wanted');
}

async function send(
  context: ConfiguredBench,
  chatDb: ChatDb,
): Promise<{ outcome: Outcome; confirmed?: Sent }> {
  const afterRow = chatDb.highestRowId();
  const access = chatDb.access();
  if (afterRow === null) {
    const [why, remedy] = access.ok ? ['chat.db is locked', 'Try again.'] : [access.message, access.remedy];
    return { outcome: fail(`it could not be confirmed: ${why}`, remedy) };
  }
  const text = `${SELFTEST_WORDS} ${randomHex(4)}`;
  const watch = watchStates(context, chatDb, afterRow);
  const handed =
    context.agent.kind === 'up' ? await byAgent(context, text) : await byOurselves(context, chatDb, text);
  if ('verdict' in handed) {
    watch.stop();
    return { outcome: handed };
  }
  const found = await within(context, ROW_PATIENCE_MS, async () => {
    const row = rowOf(chatDb, text, afterRow);
    return row === undefined ? handed.failure() : { row };
  });
  const states = watch.stop();
  if (found === undefined) return { outcome: await handed.missing() };
  if ('verdict' in found.value) return { outcome: found.value };
  const { guid, error, service } = found.value.row;
  const by = context.agent.kind === 'up' ? 'by the running agent' : 'by this program';
  const evidence = `${by}, row after ${found.ms} ms, service ${service || 'unknown'}`;
  const outcome = error === 0 ? pass(evidence) : fail(`${evidence}, error ${error}`, SEE_MESSAGES);
  return { outcome, confirmed: { text, afterRow, guid, states: states.get(guid) ?? [] } };
}

/** A text that was handed over. */
interface Handed {
  /** What is known to have gone wrong with it so far. */
  failure(): Promise<Outcome | undefined>;
  /** What it means that its row did not appear in time. */
  missing(): Promise<Outcome>;
}

const NO_ROW = `Messages accepted it, but no row appeared within ${ROW_PATIENCE_MS / 1000} s`;
const LOOK_AT_STATUS = 'Look at: edge-agent status';

/** The agent's own outcome is shown: it is the same as the backend would get. */
async function byAgent(context: ConfiguredBench, text: string): Promise<Outcome | Handed> {
  const answer = await context.askAgent({ verb: 'selftest.send', text });
  if (answer.kind !== 'answered') {
    const why = answer.kind === 'notRunning' ? 'it has stopped meanwhile' : answer.message;
    return fail(`the running agent did not take it: ${why}`, LOOK_AT_STATUS);
  }
  const { id } = answer.result;
  const textNow = async () => {
    const found = await context.askAgent({ verb: 'selftest.text', id });
    return found.kind === 'answered' ? found.result : undefined;
  };
  return {
    async failure() {
      const now = await textNow();
      if (now === undefined || (now.state !== 'failed' && now.state !== 'unknown')) return undefined;
      const problem = await sendingProblem(context);
      const code = now.error_code ?? now.state;
      return fail(
        `the running agent: ${code}: ${now.error ?? 'it does not say why'}`,
        problem?.remedy ?? SEE_MESSAGES,
      );
    },
    async missing() {
      const [now, problem] = [await textNow(), await sendingProblem(context)];
      if (now === undefined || now.attempts > 0) return fail(NO_ROW, SEE_MESSAGES);
      const why = problem === undefined ? '' : `: ${problem.message}`;
      return fail(
        `the running agent has not begun it within ${ROW_PATIENCE_MS / 1000} s${why}`,
        problem?.remedy ?? LOOK_AT_STATUS,
      );
    },
  };
}

/** What the running agent says now that keeps texts from going out. */
async function sendingProblem({ askAgent }: ConfiguredBench): Promise<Problem | undefined> {
  const status = await askAgent({ verb: 'status' });
  if (status.kind !== 'answered') return undefined;
  const { problems, vital_signs: signs } = status.result;
  return problems.find(({ code }) => signs.can_send.codes.includes(code));
}

async function byOurselves(
  context: ConfiguredBench,
  chatDb: ChatDb,
  text: string,
): Promise<Outcome | Handed> {
  const { edge, imessage, state } = context.config.loaded.config;
  const { clock, env } = context;
  const runner = new OsascriptRunner({
    osascriptPath: imessage.osascript_path,
    stateDirectory: state.directory,
    env,
    clock,
    log: silentLog,
  });
  const address = edge.user_phone;
  const chat = chatDb.findChat(conversationKey(address, regionOf(address)))?.[0];
  const targets: { form: TargetForm; target: string; accountId?: string }[] = [
    ...(chat === undefined ? [] : [{ form: 'chat' as const, target: chat.guid }]),
    {
      form: 'participant',
      target: address,
      ...(chat?.accountId == null ? {} : { accountId: chat.accountId }),
    },
  ];
  for (const [index, target] of targets.entries()) {
    const tag = freshId('selftest');
    const deadlineMs = imessage.send_timeout_seconds * 1000;
    const result = await runner.start({ ...target, tag, text, deadlineMs }).result;
    const { marker } = await runner.inspect(tag);
    runner.forget(tag);
    if (result.kind === 'accepted') return marker ? ACCEPTED : fail(NO_MARKER, REPORT);
    const mayFallBack = result.kind === 'notStarted' && result.retry === 'fallback';
    if (!mayFallBack || index === targets.length - 1) {
      return fail(`${result.message}${result.code === null ? '' : ` (${result.code})`}`, result.remedy);
    }
  }
  return ACCEPTED;
}

const ACCEPTED: Handed = {
  failure: async () => undefined,
  missing: async () => fail(NO_ROW, SEE_MESSAGES),
};

/** Notes in which states the rows above a ROWID are seen, until it is stopped; by the guid of the row. */
function watchStates({ clock }: ConfiguredBench, chatDb: ChatDb, afterRow: number) {
  const began = clock.monotonic();
  const seen = new Map<string, RowState[]>();
  let timer: Timer | undefined;
  const look = () => {
    const ms = Math.round(clock.monotonic() - began);
    for (const { guid, ...state } of statesAfter(chatDb, afterRow)) {
      const states = seen.get(guid) ?? [];
      const last = states.at(-1);
      if (last === undefined || wordsOf(last) !== wordsOf(state))
        seen.set(guid, [...states, { ...state, ms }]);
    }
    timer = clock.after(WATCH_EVERY_MS, look);
  };
  look();
  return {
    stop(): ReadonlyMap<string, readonly RowState[]> {
      timer?.cancel();
      return seen;
    },
  };
}

/** The evidence is the point: a row that never settles is what the agent could take for a person's. */
function firstStates(states: readonly RowState[]): Outcome {
  const evidence = states.map((state) => `${wordsOf(state)} after ${state.ms} ms`).join('; ');
  const first = states[0];
  if (first === undefined) return warn('the row was not seen while it was written', 'Run it once more.');
  const settled = states.find(({ direction }) => direction === 'out');
  if (settled === undefined) return fail(evidence, REPORT_STATES);
  const unsettledMs = settled.ms - first.ms;
  if (states.some(({ direction }) => direction === 'in')) return fail(evidence, REPORT_STATES);
  return unsettledMs < SETTLED_WITHIN_MS ? pass(evidence) : warn(evidence, REPORT_STATES);
}

function rowOf(chatDb: ChatDb, text: string, afterRow: number): ChatDbSentRow | undefined {
  return chatDb.sentRowsAfter(afterRow, MOST_ROWS).find((row) => row.text.trim() === text);
}

async function withChatDb(
  { config: { loaded }, clock }: ConfiguredBench,
  work: (chatDb: ChatDb) => Promise<Outcome>,
): Promise<Outcome> {
  const { imessage, edge } = loaded.config;
  const region = regionOf(edge.user_phone);
  const chatDb = new ChatDb({ path: imessage.db_path, clock, log: silentLog, region });
  try {
    return await work(chatDb);
  } finally {
    chatDb.close();
  }
}

/** Looks until there is something; undefined if there is not in time. */
async function within<T>(
  { clock }: ConfiguredBench,
  patienceMs: number,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<{ value: T; ms: number } | undefined> {
  const began = clock.monotonic();
  for (;;) {
    const value = await look();
    const ms = Math.round(clock.monotonic() - began);
    if (value !== undefined) return { value, ms };
    if (ms >= patienceMs) return undefined;
    await sleep(clock, LOOK_EVERY_MS);
  }
}
