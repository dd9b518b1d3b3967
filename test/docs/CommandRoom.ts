import { expect } from 'vitest';
import { Acks, Commands } from '../../src/commands/Commands.js';
import { judgeRemote } from '../../src/config/remoteSettings.js';
import { commandHandlers } from '../../src/daemon/commandHandlers.js';
import type { ReceivedCommand } from '../../src/model/command.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryStore } from '../support/temporaryStore.js';

/** Some minutes after the examples were "made", so that none is too late. */
export const NOW = Date.UTC(2026, 10, 20, 8, 5);

/** The room that takes commands, with every handler that the agent has; what they ask of other rooms is granted. */
export class CommandRoom {
  readonly types: readonly string[];
  private readonly clock = new FakeClock(NOW);
  private readonly store = temporaryStore(this.clock);
  private readonly commands: Commands;
  private asked = 0;

  constructor() {
    const granted = () => {
      this.asked += 1;
    };
    const handlers = commandHandlers({
      texts: { enqueue: granted, mayHaveGoneOut: () => 'no' },
      schedule: {
        add: () => {
          granted();
          return { kind: 'scheduled', scheduleId: 'sched_1' };
        },
        cancel: (id) => ({ kind: 'cancelled', scheduleId: id }),
        list: () => [],
      },
      config: {
        apply: (settings) => {
          const { accepted, refused } = judgeRemote(settings);
          return { applied: [...accepted.keys()], refused };
        },
      },
      contexts: { set: () => undefined, delete: () => true },
      files: {
        admit: () => ({ kind: 'admitted', file: { name: 'menu.pdf', url: 'https://example.com/menu.pdf' } }),
        discard: () => undefined,
      },
      uploads: { again: () => 'queued' },
      events: { add: () => undefined },
      conversationKey: (threadId) => threadId,
      limits: () => ({
        maxAgeMs: 3_600_000,
        reflexMaxAgeMs: 600_000,
        bubbleDelayMs: 800,
        maxTextLength: 10_000,
      }),
      clock: this.clock,
    });
    this.types = handlers.flatMap((handler) => handler.types);
    this.commands = new Commands(this.store, new Acks(this.store, this.clock), new RecordingLog(), handlers);
  }

  /** Executes the command: it must ask another room for something, or be acked as completed. */
  expectTaken(command: ReceivedCommand): void {
    this.commands.receive([command], 'websocket');
    const [ack] = this.store.acks.after(0, 1);
    if (ack === undefined) expect(this.asked).toBe(1);
    else expect(ack.body).toMatchObject({ command_id: command.commandId, status: 'completed', error: null });
  }
}
