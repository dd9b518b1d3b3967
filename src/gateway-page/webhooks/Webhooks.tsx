import type { WebhookView } from '../../model/gatewayApi.js';
import { AnswerStates } from '../../monitor-page/pieces/AnswerStates.js';
import { Code } from '../../monitor-page/pieces/Code.js';
import { Pill } from '../../monitor-page/pieces/Pill.js';
import { consoleHref } from '../route.js';
import { usePages } from '../usePages.js';
import { Deliveries } from './Deliveries.js';

/** Where events are posted, and what became of each. */
export function Webhooks({ at }: { at: string | undefined }) {
  const webhooks = usePages<WebhookView>('v1/webhooks', []);
  const isEmpty = webhooks.value?.data.length === 0;
  return (
    <div class={`split card ${at === undefined ? '' : 'opened'}`}>
      <div class="list">
        <AnswerStates
          answer={webhooks}
          empty={{
            when: ({ data }) => data.length === 0,
            title: 'There is no webhook yet.',
            words: 'A webhook gets every event, and its answer to a message is sent to the person.',
          }}
        >
          {({ data }) => (
            <ul aria-label="Webhooks">
              {data.map(({ id, url, events, enabled, disabled_reason }) => (
                <li key={id}>
                  <a href={consoleHref('webhooks', id)} aria-current={id === at ? 'true' : undefined}>
                    <span class="row">
                      <strong class="grow cut">{url}</strong>
                    </span>
                    <span class="row">
                      <span class="grow soft cut">
                        {events.includes('*') ? 'all events' : events.join(', ')}
                      </span>
                      <Pill tone={enabled ? 'good' : 'warn'}>
                        {enabled ? 'enabled' : disabled_reason === 'gone' ? 'gone' : 'disabled'}
                      </Pill>
                    </span>
                  </a>
                </li>
              ))}
            </ul>
          )}
        </AnswerStates>
      </div>
      {at !== undefined ? (
        <Deliveries key={at} webhook={at} />
      ) : (
        <div class="thread hint soft">
          {isEmpty ? (
            <Code text="edge-agent gateway webhooks add https://app.example.com/hook" />
          ) : (
            'Choose a webhook to see its deliveries.'
          )}
        </div>
      )}
    </div>
  );
}
