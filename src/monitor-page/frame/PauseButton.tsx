import { useOperator } from '../operator.js';
import { Icon } from '../pieces/Icon.js';

/** Stops all that goes out, or lets it go on. */
export function PauseButton() {
  const { monitor, act, tell } = useOperator();
  const paused = monitor.snapshot?.status.paused.some(({ conversation }) => conversation === '*') ?? false;
  const toggle = async () => {
    const done = paused ? await act('resume', {}) : await act('pause', {});
    if (done !== undefined)
      tell('success', paused ? 'Texts go out again.' : 'Paused: texts wait until you resume.');
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
