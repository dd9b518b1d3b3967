import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import { NewestEvents } from '../logging/NewestEvents.js';
import type { Answers, DoctorReport, MonitorApi, MonitorVerb, OperatorApi } from '../model/operatorApi.js';
import type { MonitorHandler } from '../monitor/ClientFrames.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import { ACT_WORDS } from './actWords.js';
import type { DoctorRun } from './DoctorRun.js';
import { dayOfWork } from './dayOfWork.js';
import { textsSince } from './keepTexts.js';
import type { LinkHours } from './LinkHours.js';
import type { LinkTimeline } from './LinkTimeline.js';
import type { NotificationHistory } from './NotificationHistory.js';
import { sendStatistics } from './sendStatistics.js';

/** Of the status socket's verbs, those that only look. */
const LOOKING = [
  'status',
  'config',
  'commands.list',
  'commands.show',
  'schedule.list',
  'queue.list',
  'conversations',
  'conversations.show',
] as const;
type LookingVerb = (typeof LOOKING)[number];
type SharedVerb = LookingVerb | keyof typeof ACT_WORDS;

/** No id, guid or handle is longer. */
const LONGEST_TEXT = 512;
const USUAL_LINES = 200;
const MOST_LINES = 500;
/** Where they are left, in the state directory. */
const REPORTS = ['doctor.json', 'selftest.json'];
const LOG_LEVELS = ['info', 'warn', 'error'] as const;

interface MonitorVerbsOptions {
  /** Those of the status socket. */
  verbs: Answers<Pick<OperatorApi, SharedVerb>>;
  store: Store;
  strip: LinkTimeline;
  linkHours: LinkHours;
  agentName: () => string;
  logFile: string;
  stateDirectory: string;
  clock: Clock;
  log: Logger;
  notifications: Pick<NotificationHistory, 'list'>;
  doctor: Pick<DoctorRun, 'isRunning' | 'start'>;
  /** A user did something that others should see. */
  onAct: (userId: string, words: string) => void;
}

/** What those who watch may ask for. Everything else of the status socket stays there. */
export function monitorVerbs(options: MonitorVerbsOptions): Readonly<Record<MonitorVerb, MonitorHandler>> {
  const { verbs, store, strip, stateDirectory, clock } = options;
  const logged = new NewestEvents(options.logFile);
  const own: Answers<Omit<MonitorApi, SharedVerb>> = {
    'link.history': () => ({
      changes: strip.history().map(({ at, state }) => ({ at: new Date(at).toISOString(), state })),
    }),
    'sends.statistics': () => sendStatistics(store, clock.now()),
    'work.statistics': () => dayOfWork(options, clock.now()),
    'logs.tail': ({ lines, level }) => {
      const least = LOG_LEVELS.find((known) => known === level) ?? 'info';
      const most =
        typeof lines === 'number' && lines >= 1 ? Math.min(Math.floor(lines), MOST_LINES) : USUAL_LINES;
      return logged.read(least, most).map(({ time, ...event }) => ({
        at: new Date(time).toISOString(),
        ...event,
      }));
    },
    'texts.since': ({ cursor }) => textsSince(store, options.agentName(), cursor),
    'notifications.list': () => options.notifications.list(),
    doctor: () => ({ ...lastReport(stateDirectory), running: options.doctor.isRunning }),
    'doctor.run': () => {
      options.doctor.start();
      return { running: true };
    },
  };
  const acting = {
    'schedule.cancel': act(
      'schedule.cancel',
      verbs['schedule.cancel'],
      ACT_WORDS['schedule.cancel'],
      options,
    ),
    'queue.retry': act('queue.retry', verbs['queue.retry'], ACT_WORDS['queue.retry'], options),
    'queue.drop': act('queue.drop', verbs['queue.drop'], ACT_WORDS['queue.drop'], options),
    pause: act('pause', verbs.pause, ACT_WORDS.pause, options),
    resume: act('resume', verbs.resume, ACT_WORDS.resume, options),
  };
  const looking = LOOKING.map((name) => [name, (input: Input) => verbs[name](checked(input))]);
  return { ...own, ...acting, ...(Object.fromEntries(looking) as Record<LookingVerb, MonitorHandler>) };
}

type Input = Record<string, unknown>;

/** Actions are logged with the user, and reported to all clients if they changed anything. */
function act<Result>(
  name: string,
  verb: (input: Input) => Result,
  wordsOf: (result: Result) => string | undefined,
  { log, onAct }: MonitorVerbsOptions,
): MonitorHandler {
  return (input, userId) => {
    const result = verb(checked(input));
    log.info('An operator acted through the monitor', { user: userId, verb: name });
    const words = wordsOf(result);
    if (words !== undefined) onAct(userId, words);
    return result;
  };
}

/** Throws EdgeError `invalid_payload` for a text that is longer than any that a verb takes. */
function checked(input: Input): Input {
  const long = Object.entries(input).find(
    ([, value]) => typeof value === 'string' && value.length > LONGEST_TEXT,
  );
  if (long === undefined) return input;
  const why = `${long[0]}: expected a text of at most ${LONGEST_TEXT} characters.`;
  throw new EdgeError('invalid_payload', why, 'Name it by its id.');
}

/** What `edge-agent doctor` or `selftest` found last, whichever was later; `at` is null if neither was ever asked. */
function lastReport(stateDirectory: string): DoctorReport {
  const reports = REPORTS.map((name) => reportIn(join(stateDirectory, name)));
  return reports.toSorted((a, b) => (b.at ?? '').localeCompare(a.at ?? ''))[0] ?? { at: null };
}

function reportIn(path: string): DoctorReport {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as DoctorReport;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { at: null };
    throw error;
  }
}
