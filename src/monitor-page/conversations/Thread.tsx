import type { Conversation } from '../../monitor-client/index.js';
import { useOperator } from '../operator.js';
import { Icon } from '../pieces/Icon.js';
import { Scrolled } from '../pieces/Scrolled.js';
import { hrefOf } from '../route.js';
import { Message } from './Message.js';
import { shownName } from './shownName.js';

/** One conversation; it follows what comes, unless the operator has scrolled up. */
export function Thread({ conversation }: { conversation: Conversation }) {
  const { reveals, act, tell } = useOperator();
  const { messages, paused } = conversation;
  const toggle = async () => {
    const done = await act(paused ? 'resume' : 'pause', { conversation: conversation.conversation });
    if (done !== undefined)
      tell('success', paused ? 'Texts go out there again.' : 'Paused there: texts wait.');
  };
  const name = shownName(conversation, reveals);
  return (
    <section class="thread" aria-label={`Conversation with ${name}`}>
      <header class="row">
        <a class="back" href={hrefOf('conversations')} aria-label="All conversations">
          <Icon name="back" />
        </a>
        <h2 class="grow cut">{name}</h2>
        <button type="button" onClick={() => void toggle()}>
          {paused ? 'Resume' : 'Pause'}
        </button>
      </header>
      {paused && <p class="notice warn">Paused: nothing is sent in this conversation until it is resumed.</p>}
      <Scrolled class="bubbles" label="Messages" follow={`${messages.at(-1)?.id} ${reveals}`}>
        <ol>
          {messages.map((message, index) => (
            <Message key={message.id} message={message} before={messages[index - 1]} reveals={reveals} />
          ))}
        </ol>
      </Scrolled>
    </section>
  );
}
