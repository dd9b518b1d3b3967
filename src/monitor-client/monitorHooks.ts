import type { Presence } from '../model/clientFrames.js';
import type { AgentStatus, Notification, Snapshot, UserPresence } from '../model/monitorFrames.js';
import type { MonitorApi, MonitorVerb } from '../model/operatorApi.js';
import type { ConnectionState, MonitorClient } from './MonitorClient.js';
import { type Answer, type Occasion, Question } from './Question.js';

/** What is needed of a UI library; React and Preact both have it. */
export interface UiHooks {
  useState<T>(initial: T): [T, (next: (before: T) => T) => void];
  useEffect(effect: () => () => void, dependencies: readonly unknown[]): void;
  useRef<T>(initial: T): { current: T };
}

/** A notification with the time of its arrival, ISO 8601, and a unique number. */
export interface NotificationAt extends Notification {
  id: number;
  at: string;
}

export interface MonitorView {
  connection: ConnectionState;
  isConnected: boolean;
  /** Null until the agent has said it. */
  agentStatus: AgentStatus | null;
  snapshot: Snapshot | null;
  /** The newest last; at most 100. */
  notifications: readonly NotificationAt[];
  presence: readonly UserPresence[];
  sendPresence: (presence: Presence) => void;
}

export interface MonitorHooks {
  /** Connects while the component is there, and gives what the agent says. */
  useMonitor(client: MonitorClient): MonitorView;
  /** Asks, and asks again when it has changed. `again` asks now. `of`: what the answer is to, which is the question before until there is a new one. */
  useAnswer<V extends MonitorVerb>(
    client: MonitorClient,
    verb: V,
    args: MonitorApi[V]['args'],
    occasions: readonly Occasion[],
  ): Answer<MonitorApi[V]['result']> & { of: MonitorApi[V]['args']; again: () => void };
}

const REMEMBERED = 100;

type Received = Omit<MonitorView, 'isConnected' | 'sendPresence'>;

/** The hooks for a UI library: `monitorHooks({ useState, useEffect, useRef })`. */
export function monitorHooks({ useState, useEffect, useRef }: UiHooks): MonitorHooks {
  function useMonitor(client: MonitorClient): MonitorView {
    const [received, setReceived] = useState<Received>(nothingReceived(client));
    useEffect(() => {
      setReceived(() => nothingReceived(client));
      const set = (change: Partial<Received>) => setReceived((before) => ({ ...before, ...change }));
      const endings = [
        client.on('state', (connection) => set({ connection })),
        client.on('agent_status', (agentStatus) => set({ agentStatus })),
        client.on('snapshot', (snapshot) => set({ snapshot, presence: snapshot.presence })),
        client.on('notification', (notification) => setReceived((before) => notified(before, notification))),
        client.on('user_presence', (user) => setReceived((before) => met(before, user))),
      ];
      client.connect();
      return () => {
        for (const end of endings) end();
        client.close();
      };
    }, [client]);
    return {
      ...received,
      isConnected: received.connection.name === 'online',
      sendPresence: (presence) => client.setPresence(presence),
    };
  }

  const useAnswer: MonitorHooks['useAnswer'] = (client, verb, args, occasions) => {
    type Result = MonitorApi[typeof verb]['result'];
    const [answered, setAnswered] = useState<{ answer: Answer<Result>; of: typeof args }>({
      answer: { state: 'loading' },
      of: args,
    });
    const question = useRef<Question<typeof verb> | undefined>(undefined);
    const words = JSON.stringify([verb, args, occasions]);
    useEffect(() => {
      const asked = new Question(client, verb, args, occasions, (answer) =>
        setAnswered(() => ({ answer, of: args })),
      );
      question.current = asked;
      return () => asked.stop();
    }, [client, words]);
    return { ...answered.answer, of: answered.of, again: () => question.current?.ask() };
  };

  return { useMonitor, useAnswer };
}

function nothingReceived(client: MonitorClient): Received {
  return { connection: client.state, agentStatus: null, snapshot: null, notifications: [], presence: [] };
}

function notified(before: Received, notification: Notification): Received {
  const id = (before.notifications.at(-1)?.id ?? 0) + 1;
  const added = { ...notification, id, at: new Date().toISOString() };
  return { ...before, notifications: [...before.notifications, added].slice(-REMEMBERED) };
}

function met(before: Received, user: UserPresence): Received {
  const others = before.presence.filter(({ userId }) => userId !== user.userId);
  return { ...before, presence: user.status === 'offline' ? others : [...others, user] };
}
