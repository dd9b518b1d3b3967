import type { ComponentChildren } from 'preact';
import type { Answer } from '../../monitor-client/index.js';
import { useOperator } from '../operator.js';
import { Empty } from './Empty.js';
import { Fault } from './Fault.js';
import { Loading } from './Loading.js';

/** The states of an answer: not there yet, failed (with what was known before), nothing in it, and there. */
export function Answered<T>(props: {
  answer: Answer<T> & { again: () => void };
  /** Whether there is nothing to show, and what is said then. */
  empty?: { when: (value: T) => boolean; title: string; words?: string };
  children: (value: T) => ComponentChildren;
}) {
  const { answer, empty } = props;
  const { connection } = useOperator().monitor;
  if (answer.state === 'loading') {
    const isAway =
      connection.name === 'waiting' || (connection.name === 'connecting' && connection.attempt > 1);
    return isAway ? (
      <Empty
        title="Not known yet."
        words="The agent does not respond right now; this appears once it does."
      />
    ) : (
      <Loading />
    );
  }
  const shown =
    answer.value === undefined ? null : empty?.when(answer.value) === true ? (
      <Empty title={empty.title} words={empty.words} />
    ) : (
      props.children(answer.value)
    );
  return (
    <>
      {answer.state === 'failed' && <Fault error={answer.error} onAgain={answer.again} />}
      {shown}
    </>
  );
}
