import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import { NewestEvents } from '../logging/NewestEvents.js';
import type { Answers, DoctorReport, MonitorApi, MonitorVerb, OperatorApi } from '../model/operatorApi.js';
import type { MonitorHandler } from '../monitor/ClientFrames.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import type { LinkTimeline } from './LinkTimeline.js';
import type { StatusVerb } from './StatusServer.js';
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
/** And those that change something: who does is logged and told to everybody who watches. */
const ACTING = ['schedule.cancel', 'queue.retry', 'queue.drop', 'pause', 'resume'] as const;
type SharedVerb = (typeof LOOKING | typeof ACTING)[number];

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
  logFile: string;
  stateDirectory: string;
  clock: Clock;
  log: Logger;
  /** Somebody did something that others should know of. */
  onAct: (userId: string, verb: string) => void;
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
    'logs.tail': ({ lines, level }) => {
      const least = LOG_LEVELS.find((known) => known === level) ?? 'info';
      const most =
        typeof lines === 'number' && lines >= 1 ? Math.min(Math.floor(lines), MOST_LINES) : USUAL_LINES;
      return logged.read(least, most).map(({ time, ...event }) => ({
        at: new Date(time).toISOString(),
        ...event,
      }));
    },
    doctor: () => lastReport(stateDirectory),
  };
  const shared = [...LOOKING, ...ACTING].map((name) => [name, sharedVerb(name, verbs[name], options)]);
  return { ...own, ...(Object.fromEntries(shared) as Record<SharedVerb, MonitorHandler>) };
}

function sharedVerb(name: SharedVerb, verb: StatusVerb, options: MonitorVerbsOptions): MonitorHandler {
  const isAct = ACTING.some((acting) => acting === name);
  return (input, userId) => {
    const long = Object.entries(input).find(
      ([, value]) => typeof value === 'string' && value.length > LONGEST_TEXT,
    );
    if (long !== undefined) {
      const why = `${long[0]}: expected a text of at most ${LONGEST_TEXT} characters.`;
      throw new EdgeError('invalid_payload', why, 'Name it by its id.');
    }
    const result = verb(input);
    if (isAct) {
      options.log.info('An operator acted through the monitor', { user: userId, verb: name });
      options.onAct(userId, name);
    }
    return result;
  };
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
