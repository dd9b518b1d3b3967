import type { Bubble, Conversation } from '../../monitor-client/index.js';
import { useOperator } from '../operator.js';
import { ownName } from '../personName.js';
import { Pill } from '../pieces/Pill.js';
import { Time } from '../pieces/Time.js';
import { hrefOf } from '../route.js';
import { counted } from '../words.js';
import { conversationRef } from './conversationRef.js';
import { shownName } from './shownName.js';

/** The conversations, the newest first, with their last message. */
export function ConversationList(props: {
  conversations: readonly Conversation[];
  shown: string | undefined;
}) {
  const { reveals } = useOperator();
  return (
    <ul class="list" aria-label="Conversations">
      {props.conversations.map((conversation) => {
        const last = conversation.messages.at(-1);
        return (
          <li key={conversation.conversation}>
            <a
              href={hrefOf('conversations', conversationRef(conversation.conversation))}
              aria-current={conversation.conversation === props.shown ? 'true' : undefined}
            >
              <span class="row">
                <strong class="grow cut">{shownName(conversation, reveals)}</strong>
                {conversation.paused && <Pill tone="warn">paused</Pill>}
                {last !== undefined && <Time at={last.at} />}
              </span>
              {last !== undefined && <span class="soft cut">{preview(last, reveals)}</span>}
            </a>
          </li>
        );
      })}
    </ul>
  );
}

function preview({ direction, sender, text, characters }: Bubble, reveals: boolean): string {
  const words = (reveals ? text : null) ?? counted(characters, 'character');
  return direction === 'out' ? `${ownName(sender)}: ${words}` : words;
}
