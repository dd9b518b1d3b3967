import type { Commands } from '../commands/Commands.js';
import { maskHandle } from '../logging/mask.js';
import type { NotificationLevel } from '../model/monitorFrames.js';
import type { SendRecord } from '../model/sending.js';
import type { MonitorServer } from '../monitor/MonitorServer.js';
import type { SendOutcome } from '../outgoing/OutcomeRecorder.js';
import type { Outgoing } from '../outgoing/Outgoing.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import { chatMessage } from './keepTexts.js';

interface Watching {
  components: {
    commands: Commands;
    outgoing: Outgoing;
  };
  store: Store;
  clock: Clock;
  server: MonitorServer;
  agentName: () => string;
  /** A value that depends on whether clients are connected. */
  notify: (level: NotificationLevel, message: string) => void;
  /** There is something to do, or less. */
  onWork: () => void;
  /** Runs what must not throw. */
  guarded: (work: () => void) => void;
}

/** Reports every stored text (`keepTexts`) and the steps of commands to monitor clients, once each is stored. */
export function watchTexts(watching: Watching): void {
  const { components, store, clock, server, agentName, onWork, guarded } = watching;
  /** After the commit, and after what the agent itself does then. */
  const later = (work: () => void) => store.afterCommit(() => clock.after(0, () => guarded(work)));
  /** Only while a client is connected; after the commit, and after the agent's own work. */
  const whenWatched = (work: () => void) => {
    if (!server.isWatched) return;
    store.afterCommit(() => {
      clock.after(0, () => guarded(work));
      guarded(onWork);
    });
  };
  store.textJournal.afterAdd((text) =>
    whenWatched(() => server.broadcastChatMessage(chatMessage(text, agentName()))),
  );
  components.commands.onStage((commandId, stage, code) =>
    whenWatched(() => {
      const commandType = store.commandLog.find(commandId)?.commandType;
      const why = code === null ? {} : { code };
      server.publish({ topic: 'commands', commandId, commandType, stage, ...why }, clock.now());
    }),
  );
  components.commands.onStage((commandId, stage, code) => {
    if (stage !== 'failed') return;
    const why = code === null ? '' : `: ${code}`;
    later(() => watching.notify('warning', `Command ${commandId} failed${why}`));
  });
  components.outgoing.onOutcome((send, outcome) => {
    if (outcome.kind === 'unknown') {
      const words = `A text to ${maskHandle(send.conversation)}: ${outcome.message}`;
      later(() => watching.notify('warning', words));
    }
    whenWatched(() => {
      publishOutcome(watching, send, outcome);
      if (outcome.kind !== 'failed') publishStep(watching, send, outcome.kind);
    });
  });
  store.acks.onDelivered((_, commandId) =>
    whenWatched(() => publishStep(watching, { commandId }, 'ack_read')),
  );
  components.outgoing.onDelivery((send, { kind }) => whenWatched(() => publishStep(watching, send, kind)));
}

function publishOutcome({ server, clock }: Watching, send: SendRecord, outcome: SendOutcome): void {
  const at = clock.now();
  const ms = Math.max(0, at - send.createdAt);
  const conversation = maskHandle(send.conversation);
  server.publish({ topic: 'sends', conversation, outcome: outcome.kind, ms }, at);
}

/** A step of a command: of its text, or of its ack. */
function publishStep(
  { server, store, clock }: Watching,
  { commandId }: Pick<SendRecord, 'commandId'>,
  stage: string,
): void {
  if (commandId === null) return;
  const commandType = store.commandLog.find(commandId)?.commandType;
  server.publish({ topic: 'commands', commandId, commandType, stage }, clock.now());
}
