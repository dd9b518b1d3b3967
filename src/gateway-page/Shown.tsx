import type { ComponentChildren } from 'preact';
import { Empty } from '../monitor-page/pieces/Empty.js';
import { Loading } from '../monitor-page/pieces/Loading.js';
import type { Resource } from './useResource.js';

/** The states of an answer: not there yet, failed (with what was known before), nothing in it, and there. */
export function Shown<T>(props: {
  of: Resource<T> & { again: () => void };
  /** Whether there is nothing to show, and what is said then. */
  empty?: { when: (value: T) => boolean; title: string; words?: string };
  children: (value: T) => ComponentChildren;
}) {
  const { of, empty } = props;
  if (of.state === 'loading') {
    return <Loading />;
  }
  const nothing = of.value !== undefined && empty?.when(of.value) === true ? empty : undefined;
  return (
    <>
      {of.state === 'failed' && (
        <div class="notice bad" role="alert">
          <p>
            <strong>{of.fault.message}</strong>
          </p>
          <button type="button" onClick={of.again}>
            Ask again
          </button>
        </div>
      )}
      {nothing !== undefined ? (
        <Empty title={nothing.title} words={nothing.words} />
      ) : (
        of.value !== undefined && props.children(of.value)
      )}
    </>
  );
}
