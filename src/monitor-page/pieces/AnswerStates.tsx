import type { ComponentChildren } from 'preact';
import { Empty } from './Empty.js';
import { Fault, type FaultWords } from './Fault.js';
import { Loading } from './Loading.js';

/** What is said where there is nothing to show. */
interface EmptyWords<T> {
  when: (value: T) => boolean;
  title: string;
  words?: string;
}

export interface AnswerStatesProps<T> {
  answer: { again: () => void } & (
    | { readonly state: 'loading'; readonly value?: undefined }
    | { readonly state: 'ready'; readonly value: T }
    | { readonly state: 'failed'; readonly error: FaultWords; readonly value?: T | undefined }
  );
  empty?: EmptyWords<T> | undefined;
  /** Shown until there is an answer. */
  loading?: ComponentChildren;
  children: (value: T) => ComponentChildren;
}

/** The states of an answer: not there yet, failed (with what was known before), nothing in it, and there. */
export function AnswerStates<T>({ answer, empty, loading = <Loading />, children }: AnswerStatesProps<T>) {
  if (answer.state === 'loading') return <>{loading}</>;
  const { value } = answer;
  return (
    <>
      {answer.state === 'failed' && <Fault error={answer.error} onAgain={answer.again} />}
      {value === undefined ? null : empty?.when(value) === true ? (
        <Empty title={empty.title} words={empty.words} />
      ) : (
        children(value)
      )}
    </>
  );
}
