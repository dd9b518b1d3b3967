import { useOperator } from '../operator.js';
import { pausedWords, resumedWords } from '../outcomes.js';
import { Icon } from '../pieces/Icon.js';

/** Stops or resumes all sending. */
export function PauseButton() {
  const { monitor, act, notify } = useOperator();
  const paused = monitor.snapshot?.status.paused?.some(({ conversation }) => conversation === '*') ?? false;
  const toggle = async () => {
    if (paused) {
      const done = await act('resume', {});
      if (done !== undefined) notify(...resumedWords(done));
    } else {
      const done = await act('pause', {});
      if (done !== undefined) notify(...pausedWords(done));
    }
  };
  return (
    <button
      type="button"
      class={paused ? 'primary' : ''}
      disabled={!monitor.isConnected || monitor.snapshot === null}
      onClick={() => void toggle()}
    >
      <Icon name={paused ? 'play' : 'pause'} />
      <span>{paused ? 'Resume sending' : 'Pause sending'}</span>
    </button>
  );
}
