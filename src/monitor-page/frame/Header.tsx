import { useOperator } from '../operator.js';
import { TextsSwitch } from '../pieces/TextsSwitch.js';
import { AgentState } from './AgentState.js';
import { Mark } from './Mark.js';
import { PauseButton } from './PauseButton.js';

/** The name, what the agent does, and what concerns every view. */
export function Header({ reveals, onReveal }: { reveals: boolean; onReveal: (reveals: boolean) => void }) {
  const { monitor } = useOperator();
  return (
    <header class="head">
      <div class="brand">
        <Mark />
        <h1>
          edge-agent
          <span class="version soft">{monitor.snapshot?.status.version ?? ''}</span>
        </h1>
      </div>
      <AgentState />
      <div class="tools">
        <TextsSwitch reveals={reveals} onReveal={onReveal} />
        <PauseButton />
      </div>
    </header>
  );
}
