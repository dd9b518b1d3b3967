import { useAnswer } from '../hooks.js';
import { useOperator } from '../operator.js';
import { Answered } from '../pieces/Answered.js';
import { Empty } from '../pieces/Empty.js';
import { ConversationList } from './ConversationList.js';
import { conversationRef } from './conversationRef.js';
import { Thread } from './Thread.js';

/** The newest conversations as they happen. Texts come from the agent only once they are to be shown. */
export function Conversations({ at }: { at: string | undefined }) {
  const { client, reveals } = useOperator();
  const answer = useAnswer(client, 'conversations', { limit: 50, messages: 50, texts: reveals }, [
    'sends',
    'pauses',
    'chat_message',
  ]);
  return (
    <Answered
      answer={answer}
      empty={{
        when: (conversations) => conversations.length === 0,
        title: 'No conversation yet.',
        words: 'The first message that comes in or goes out appears here at once.',
      }}
    >
      {(conversations) => {
        const index = conversations.findIndex(({ conversation }) => conversationRef(conversation) === at);
        const shown = conversations[index] ?? (at === undefined ? conversations[0] : undefined);
        return (
          <div class={`split card ${at === undefined ? '' : 'opened'}`}>
            <ConversationList conversations={conversations} shown={shown?.conversation} />
            {shown === undefined ? (
              <Empty title="This conversation is not among the newest." />
            ) : (
              <Thread key={shown.conversation} conversation={shown} />
            )}
          </div>
        );
      }}
    </Answered>
  );
}
