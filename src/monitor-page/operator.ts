import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { MonitorClient, MonitorView, NotificationLevel, Verb, Verbs } from '../monitor-client/index.js';
import type { People } from './people.js';

/** What every part of the page has at hand. */
export interface Operator {
  client: MonitorClient;
  monitor: MonitorView;
  /** Texts are shown, and handles whole. */
  reveals: boolean;
  people: People;
  /** Says something to the operator for a moment. */
  notify: (level: NotificationLevel, message: string) => void;
  /** Ends the session of this tab. */
  leave: () => void;
  /** Sends a request to the agent and shows its error. Undefined if it was not done. */
  act: <V extends Verb>(verb: V, args: Verbs[V]['args']) => Promise<Verbs[V]['result'] | undefined>;
}

export const OperatorContext = createContext<Operator | undefined>(undefined);

export function useOperator(): Operator {
  const operator = useContext(OperatorContext);
  if (operator === undefined) throw new Error('This part of the page is outside a session.');
  return operator;
}
