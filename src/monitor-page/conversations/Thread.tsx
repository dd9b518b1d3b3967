import type { Conversation } from '../../monitor-client/index.js';
import { useOperator } from '../operator.js';
import { pausedWords, resumedThereWords } from '../outcomes.js';
import { Icon } from '../pieces/Icon.js';
import { Scrolled } from '../pieces/Scrolled.js';
import { hrefOf } from '../route.js';
import { Message } from './Message.js';
import { shownName } from './shownName.js';

/** One conversation; it follows what comes, unless the operator has scrolled up. */
export function Thread({ conversation }: { conversation: Conversation }) {
  const { reveals, act, notify, monitor } = useOperator();
  const { messages } = conversation;
  const pauses = monitor.snapshot?.status.paused ?? [];
  const isPaused = pauses.some((pause) => pause.conversation === conversation.conversation);
  const isAllPaused = pauses.some((pause) => pause.conversation === '*');
  const toggle = async () => {
    const there = { conversation: conversation.conversation };
    if (isPaused) {
      const done = await act('resume', there);
      if (done !== undefined) notify(...resumedThereWords(done));
    } else {
      const done = await act('pause', there);
      if (done !== undefined) notify(...pausedWords(done));
    }
  };
  const name = shownName(conversation, reveals);
  const isGroup =
    new Set(messages.filter(({ direction }) => direction === 'in').map(({ sender }) => sender)).size > 1 ||
    /(^|;)chat\d+$/.test(conversation.conversation);
  return (
    <section class="thread" aria-label={`Conversation with ${name}`}>
      <header class="row">
        <a class="back" href={hrefOf('conversations')} aria-label="All conversations">
          <Icon name="back" />
        </a>
        <h2 class="grow cut">{name}</h2>
        <button type="button" onClick={() => void toggle()}>
          {isPaused ? 'Resume' : 'Pause'}
        </button>
      </header>
      {isPaused && (
        <p class="notice warn">Paused: nothing is sent in this conversation until it is resumed.</p>
      )}
      {isAllPaused && (
        <p class="notice warn">Sending is paused everywhere: nothing is sent in this conversation either.</p>
      )}
      <Scrolled class="bubbles" label="Messages" follow={`${messages.at(-1)?.id} ${reveals}`}>
        <ol>
          {messages.map((message, index) => (
            <Message
              key={message.id}
              message={message}
              before={messages[index - 1]}
              reveals={reveals}
              isGroup={isGroup}
            />
          ))}
        </ol>
      </Scrolled>
    </section>
  );
}
