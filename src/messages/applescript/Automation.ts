import type { Logger } from '../../logging/Logger.js';
import type { AutomationAnswered } from '../../model/operatorApi.js';
import type { Problem } from '../../model/problem.js';
import type { Clock, Timer } from '../../system/clock.js';
import { runProgram } from '../../system/runProgram.js';
import { ALLOW_AUTOMATION } from './errors.js';
import type { SendResult } from './sendResult.js';

export type AutomationAnswer = AutomationAnswered['permission'];

interface AskOptions {
  readonly osascriptPath: string;
  /** Without our secrets. */
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  /** Ends the question. */
  readonly signal?: AbortSignal;
}

const MESSAGES = 'com.apple.MobileSMS';

/**
 * Asks macOS for the permission without sending an event. Argument 1 is the bundle id of the program to be controlled;
 * with `ask` as argument 2 macOS shows its dialog if this is not decided yet, and returns once it is answered. The
 * permission is that of the program responsible for osascript, which is ours: Apple,
 * AEDeterminePermissionToAutomateTarget. 0x2a2a2a2a stands for any event.
 */
const QUESTION = `ObjC.import('Foundation');
ObjC.import('CoreServices');
ObjC.bindFunction('AEDeterminePermissionToAutomateTarget', ['int', ['void *', 'unsigned int', 'unsigned int', 'bool']]);
function run(argv) {
  const target = $.NSAppleEventDescriptor.descriptorWithBundleIdentifier(argv[0]);
  return String($.AEDeterminePermissionToAutomateTarget(target.aeDesc, 0x2a2a2a2a, 0x2a2a2a2a, argv[1] === 'ask'));
}`;

/** MacErrors.h: procNotFound, errAEEventNotPermitted, errAEEventWouldRequireUserConsent. */
const ANSWERS: Readonly<Record<string, AutomationAnswer>> = {
  '0': 'granted',
  '-1743': 'denied',
  '-1744': 'undecided',
  '-600': 'not_running',
};

const PATIENCE_MS = 5_000;
/** A dialog may wait for a person for days. */
const DIALOG_MS = 7 * 24 * 3_600_000;

/** Asks without raising a dialog. Ends within 5 s; never rejects. */
export function askAutomation(options: AskOptions): Promise<AutomationAnswer> {
  return ask(options, 'silent', PATIENCE_MS);
}

/** Makes macOS show its dialog if this is not decided yet; resolves when it is answered. Never rejects. */
function raiseAutomation(options: AskOptions): Promise<AutomationAnswer> {
  return ask(options, 'ask', DIALOG_MS);
}

async function ask(
  { osascriptPath, ...options }: AskOptions,
  how: 'silent' | 'ask',
  timeoutMs: number,
): Promise<AutomationAnswer> {
  const end = await runProgram(osascriptPath, ['-l', 'JavaScript', '-e', QUESTION, MESSAGES, how], {
    ...options,
    timeoutMs,
  });
  return (end.kind === 'ended' && end.code === 0 && ANSWERS[end.stdout.trim()]) || 'unknown';
}

interface AutomationOptions {
  /** Asks macOS without a dialog, and with one; neither rejects. */
  readonly silently: () => Promise<AutomationAnswer>;
  readonly raise: (signal: AbortSignal) => Promise<AutomationAnswer>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called when macOS starts to let the agent control Messages. */
  readonly onGranted: () => void;
}

/** These end an attempt where the permission is missing, taken away, or waits for a person. */
const OF_PERMISSION: readonly (number | null)[] = [-1743, -1744, -1712, -609];
const mayBeOfPermission = ({ code, reason }: Exclude<SendResult, { kind: 'accepted' }>) =>
  OF_PERMISSION.includes(code) || reason === 'timeout';
/** What was answered counts for the text that it was asked for. */
const FRESH_MS = 2_000;
/** A Mac that cannot be asked is not asked before every text: each question could take its whole time. */
const ASK_AGAIN_MS = 10 * 60_000;
/** The dialog reports its own answer; these are for an answer in System Settings. */
const LOOK_EVERY_MS = { undecided: 15_000, denied: 60_000 } as const;

/**
 * Whether the agent may control Messages, queried from macOS without sending anything. Granted: texts are sent, and
 * macOS is not asked again until an attempt fails in a way that may be caused by it. Undecided: the first text that is
 * due shows the dialog, once per run of the agent, and texts wait, none of them begun, until it is answered. In every
 * other case texts are sent, and the attempt shows the result.
 */
export class Automation {
  private running = false;
  private known: AutomationAnswer | undefined;
  private since = 0;
  private askedAt = Number.NEGATIVE_INFINITY;
  private looking: Promise<void> | undefined;
  private decision: { readonly made: Promise<void>; readonly make: () => void } | undefined;
  private dialog: AbortController | undefined;
  private wasRaised = false;
  private timer: Timer | undefined;

  constructor(private readonly options: AutomationOptions) {}

  /** Asks once, without a dialog. */
  start(): void {
    this.running = true;
    void this.look();
  }

  /** Takes the dialog back, and lets go of who waits. Idempotent. */
  stop(): void {
    this.running = false;
    this.timer?.cancel();
    this.dialog?.abort();
    this.decide();
  }

  /** A text is due. It may not begin before this resolves and `hold` was asked again; undefined: it may begin. Never rejects. */
  hold(): Promise<void> | undefined {
    if (!this.running) return undefined;
    if (this.known === 'undecided') {
      if (!this.wasRaised) this.raise();
      this.decision ??= decision();
      return this.decision.made;
    }
    return this.isCurrent() ? undefined : this.look();
  }

  /** To be called after every attempt, before another one begins. */
  note(result: SendResult): void {
    if (!this.running) return;
    if (result.kind === 'accepted') this.learn('granted');
    else if (mayBeOfPermission(result) && this.known !== 'undecided') this.known = undefined;
  }

  /** Asks macOS now; `raise`: a person is at the screen, so show the dialog if this is not decided yet. */
  async ask(raise: boolean): Promise<AutomationAnswered> {
    await this.look();
    if (raise && this.running && this.known === 'undecided') this.raise();
    return { permission: this.known ?? 'unknown', isDialogOpen: this.dialog !== undefined };
  }

  /** What keeps texts from Messages. */
  fault(): Problem<number, 'automation_pending' | 'automation_denied'> | undefined {
    const { since } = this;
    if (this.known === 'denied') return { code: 'automation_denied', since, ...DENIED };
    if (this.known !== 'undecided') return undefined;
    return { code: 'automation_pending', since, ...(this.dialog === undefined ? NOT_ASKED : ASKED) };
  }

  private isCurrent(): boolean {
    if (this.known === undefined) return false;
    if (this.known === 'granted') return true;
    const age = this.options.clock.monotonic() - this.askedAt;
    return age < (this.known === 'unknown' ? ASK_AGAIN_MS : FRESH_MS);
  }

  private look(): Promise<void> {
    this.looking ??= this.options.silently().then((answer) => {
      this.looking = undefined;
      this.learn(answer);
    });
    return this.looking;
  }

  private raise(): void {
    if (this.dialog !== undefined) return;
    const { log, raise } = this.options;
    const dialog = new AbortController();
    this.dialog = dialog;
    this.wasRaised = true;
    log.warn('macOS asks on the screen of this Mac whether the agent may control Messages; texts wait', {
      code: 'automation_pending',
    });
    void raise(dialog.signal).then((answer) => {
      this.dialog = undefined;
      if (answer === 'granted' || answer === 'denied') this.learn(answer);
    });
  }

  private learn(answer: AutomationAnswer): void {
    if (!this.running) return;
    const before = this.known;
    const { clock, log, onGranted } = this.options;
    this.askedAt = clock.monotonic();
    // That it cannot be determined now decides nothing: the dialog is still open.
    const isOpen = before === 'undecided' && (answer === 'unknown' || answer === 'not_running');
    const known = isOpen ? before : answer;
    if (known !== before) this.since = clock.now();
    this.known = known;
    if (known !== 'undecided') this.decide();
    if (known === 'granted' && before !== 'granted') {
      if (before === 'undecided' || before === 'denied') log.info('macOS lets the agent control Messages');
      onGranted();
    }
    if (known === 'denied' && before !== 'denied')
      log.error(`${DENIED.message} ${DENIED.remedy}`, { code: 'automation_denied' });
    this.timer?.cancel();
    if (known === 'undecided' || known === 'denied')
      this.timer = clock.after(LOOK_EVERY_MS[known], () => void this.look());
  }

  private decide(): void {
    this.decision?.make();
    this.decision = undefined;
  }
}

/** The permission of this process for Messages. */
export function automationOf(
  options: Pick<AutomationOptions, 'log' | 'onGranted'> & Parameters<typeof askAutomation>[0],
): Automation {
  const { log, onGranted, ...program } = options;
  return new Automation({
    silently: () => askAutomation(program),
    raise: (signal) => raiseAutomation({ ...program, signal }),
    clock: program.clock,
    log,
    onGranted,
  });
}

const ASKED = {
  message:
    'A dialog on the screen of this Mac asks whether the agent may control Messages. Texts wait for the answer.',
  remedy: 'Click OK in the dialog on the screen of this Mac, at the Mac or by Screen Sharing.',
};
const NOT_ASKED = {
  message: 'It is not decided yet whether the agent may control Messages. Texts wait until then.',
  remedy:
    'With a person at the screen of this Mac, run: edge-agent doctor. Then click OK in the dialog that it shows.',
};
const DENIED = { message: 'macOS does not let the agent control Messages.', remedy: ALLOW_AUTOMATION };

function decision(): { readonly made: Promise<void>; readonly make: () => void } {
  let make: () => void = () => undefined;
  const made = new Promise<void>((resolve) => {
    make = resolve;
  });
  return { made, make };
}
