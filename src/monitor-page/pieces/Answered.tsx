import { useOperator } from '../operator.js';
import { AnswerStates, type AnswerStatesProps } from './AnswerStates.js';
import { Empty } from './Empty.js';

/** The states of an answer of the agent; while the agent is away it says so. */
export function Answered<T>(props: Omit<AnswerStatesProps<T>, 'loading'>) {
  const { connection } = useOperator().monitor;
  const isAway =
    connection.name === 'waiting' || (connection.name === 'connecting' && connection.attempt > 1);
  const away = (
    <Empty title="Not known yet." words="The agent does not respond right now; this appears once it does." />
  );
  return <AnswerStates {...props} loading={isAway ? away : undefined} />;
}
