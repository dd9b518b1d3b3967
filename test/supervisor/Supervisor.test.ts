import { beforeEach, describe, expect, test } from 'vitest';
import type { AppState, MessagesProcess, Opened } from '../../src/supervisor/MessagesApp.js';
import { Supervisor } from '../../src/supervisor/Supervisor.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';

/** Messages as a script: how it takes being opened, asked to quit and signalled. */
class ScriptedApp implements MessagesProcess {
  readonly calls: string[] = [];
  current: AppState = 'absent';
  opens: Opened = { kind: 'opened' };
  heeds: readonly string[] = ['quit'];

  async state(): Promise<AppState> {
    return this.current;
  }

  async open(): Promise<Opened> {
    this.calls.push('open');
    if (this.opens.kind === 'opened') this.current = 'running';
    return this.opens;
  }

  async quit(): Promise<void> {
    this.hear('quit');
  }

  async signal(signal: string): Promise<void> {
    this.hear(signal);
  }

  private hear(word: string): void {
    this.calls.push(word);
    if (this.heeds.includes(word)) this.current = 'absent';
  }
}

const TIMEOUT = { kind: 'unknown', code: -1712, reason: 'ae_timeout' } as const;
let clock: FakeClock;
let app: ScriptedApp;
let log: RecordingLog;
let supervisor: Supervisor;

beforeEach(() => {
  clock = new FakeClock();
  app = new ScriptedApp();
  log = new RecordingLog();
  supervisor = new Supervisor({ app, clock, log });
});

/** Whether a text would have to wait now. */
const isHeld = () => supervisor.ready() !== undefined;

describe('before the first text', () => {
  test('Messages is opened, and texts wait until it has warmed up', async () => {
    supervisor.start();
    expect(isHeld()).toBe(true);
    await clock.advanceAsync(2_000);
    expect(app.calls).toEqual(['open']);
    expect(isHeld()).toBe(true);
    await clock.advanceAsync(1_500);
    expect(isHeld()).toBe(false);
  });

  test('a running one is left alone, and nothing waits', async () => {
    app.current = 'running';
    supervisor.start();
    await clock.advanceAsync(1);
    expect(app.calls).toEqual([]);
    expect(isHeld()).toBe(false);
  });

  test('where pgrep fails, Messages is not touched', async () => {
    app.current = 'unknown';
    supervisor.start();
    await clock.advanceAsync(1);
    expect(app.calls).toEqual([]);
    expect(isHeld()).toBe(false);
    expect(log.lines).toEqual([expect.stringContaining('Cannot tell whether')]);
  });

  test('one that cannot be opened is a fault, reported once, and texts are released to report it', async () => {
    app.opens = { kind: 'failed', message: 'there is no /usr/bin/open' };
    supervisor.start();
    await clock.advanceAsync(1);
    expect(isHeld()).toBe(false);
    expect(supervisor.fault()).toMatchObject({ code: 'messages_unavailable', since: clock.now() - 1 });
    await clock.advanceAsync(180_000);
    expect(app.calls.length).toBe(4);
    expect(log.lines.filter((line) => line.startsWith('ERROR'))).toHaveLength(1);
    app.opens = { kind: 'opened' };
    await clock.advanceAsync(70_000);
    expect(supervisor.fault()).toBeUndefined();
  });
});

describe('while it runs', () => {
  beforeEach(async () => {
    app.current = 'running';
    supervisor.start();
    await clock.advanceAsync(1);
  });

  test('one that has gone is opened again within a minute', async () => {
    app.current = 'absent';
    await clock.advanceAsync(60_000);
    expect(app.calls).toEqual(['open']);
  });

  test('an attempt that finds no Messages has it opened at once', async () => {
    app.current = 'absent';
    supervisor.note({ kind: 'notStarted', code: -600, reason: 'messages_unavailable' });
    expect(isHeld()).toBe(true);
    await clock.advanceAsync(1);
    expect(app.calls).toEqual(['open']);
  });

  test('after a wake it is checked at once', async () => {
    app.current = 'absent';
    supervisor.woke();
    await clock.advanceAsync(1);
    expect(app.calls).toEqual(['open']);
  });

  test('a single timeout, or two with an answer in between, restart nothing', async () => {
    supervisor.note(TIMEOUT);
    supervisor.note({ kind: 'accepted' });
    supervisor.note(TIMEOUT);
    await clock.advanceAsync(1_000);
    expect(app.calls).toEqual([]);
  });

  test('two timeouts in a row restart it: asked to quit, then opened, texts held', async () => {
    supervisor.note(TIMEOUT);
    supervisor.note(TIMEOUT);
    expect(isHeld()).toBe(true);
    await clock.advanceAsync(10_000);
    expect(app.calls).toEqual(['quit', 'open']);
    expect(isHeld()).toBe(false);
  });

  test('it is signalled only when it does not quit, and killed only when it does not end', async () => {
    app.heeds = ['SIGKILL'];
    supervisor.note(TIMEOUT);
    supervisor.note(TIMEOUT);
    await clock.advanceAsync(14_000);
    expect(app.calls).toEqual(['quit']);
    await clock.advanceAsync(6_000);
    expect(app.calls).toEqual(['quit', 'SIGTERM']);
    await clock.advanceAsync(20_000);
    expect(app.calls).toEqual(['quit', 'SIGTERM', 'SIGKILL', 'open']);
    expect(isHeld()).toBe(false);
  });

  test('it is restarted at most every ten minutes, and then again', async () => {
    for (let index = 0; index < 20; index += 1) {
      supervisor.note(TIMEOUT);
      await clock.advanceAsync(25_000);
    }
    expect(app.calls.filter((call) => call === 'quit')).toHaveLength(1);
    await clock.advanceAsync(200_000);
    supervisor.note(TIMEOUT);
    await clock.advanceAsync(1);
    expect(app.calls.filter((call) => call === 'quit')).toHaveLength(2);
  });

  test('stopped in the middle of a restart it releases the texts and does nothing more', async () => {
    app.heeds = [];
    supervisor.note(TIMEOUT);
    supervisor.note(TIMEOUT);
    await clock.advanceAsync(1_000);
    const held = supervisor.ready();
    supervisor.stop();
    await clock.advanceAsync(120_000);
    expect(await held).toBe(false);
    expect(isHeld()).toBe(false);
    expect(app.calls).toEqual(['quit']);
    expect(clock.pending).toBe(0);
  });
});
