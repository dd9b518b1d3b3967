import { useState } from 'preact/hooks';
import type { DeliveryView } from '../../model/gatewayApi.js';
import type { GatewayEventType } from '../../model/gatewayEvents.js';
import { AnswerStates } from '../../monitor-page/pieces/AnswerStates.js';
import { Choice } from '../../monitor-page/pieces/Choice.js';
import { Icon } from '../../monitor-page/pieces/Icon.js';
import { Pill, type Tone } from '../../monitor-page/pieces/Pill.js';
import { Scrolled } from '../../monitor-page/pieces/Scrolled.js';
import { Time } from '../../monitor-page/pieces/Time.js';
import { counted, spoken } from '../../monitor-page/words.js';
import { ApiFault } from '../GatewayApi.js';
import { useConsole } from '../gatewayConsole.js';
import { consoleHref } from '../route.js';
import { usePages } from '../usePages.js';

const TONES: Readonly<Record<DeliveryView['state'], Tone>> = {
  waiting: 'busy',
  delivered: 'good',
  set_aside: 'bad',
};
type Which = 'all' | 'waiting' | 'set_aside';

/** Each of them makes deliveries. */
const OCCASIONS: readonly GatewayEventType[] = [
  'message.received',
  'message.status',
  'command.status',
  'webhook.test',
];

/** The deliveries of a webhook, the newest first; each can be sent again. */
export function Deliveries({ webhook }: { webhook: string }) {
  const { api, notify } = useConsole();
  const [which, setWhich] = useState<Which>('all');
  const path = `v1/webhooks/${encodeURIComponent(webhook)}`;
  const deliveries = usePages<DeliveryView>(
    `${path}/deliveries${which === 'all' ? '' : `?state=${which}`}`,
    OCCASIONS,
  );
  const replay = async (id: string) => {
    try {
      await api.post(`${path}/deliveries/${encodeURIComponent(id)}/replay`);
      notify('success', 'It will be sent again.');
    } catch (error) {
      if (!(error instanceof ApiFault)) throw error;
      notify('error', error.message);
    }
    deliveries.again();
  };
  return (
    <section class="thread" aria-label={`Deliveries of ${webhook}`}>
      <header class="row">
        <a class="back" href={consoleHref('webhooks')} aria-label="All webhooks">
          <Icon name="back" />
        </a>
        <h2 class="grow cut">Deliveries</h2>
        <Choice
          label="Which deliveries"
          value={which}
          onValue={setWhich}
          options={[
            ['all', 'All'],
            ['waiting', 'Waiting'],
            ['set_aside', 'Set aside'],
          ]}
        />
      </header>
      <Scrolled label="Deliveries">
        <AnswerStates
          answer={deliveries}
          empty={{
            when: ({ data }) => data.length === 0,
            title: which === 'all' ? 'No delivery yet.' : `No delivery is ${spoken(which)}.`,
          }}
        >
          {({ data }) => (
            <ul class="rows">
              {data.map((delivery) => (
                <Row key={delivery.id} delivery={delivery} onReplay={replay} />
              ))}
            </ul>
          )}
        </AnswerStates>
        {deliveries.more !== undefined && (
          <p class="more">
            <button type="button" onClick={deliveries.more}>
              Show more
            </button>
          </p>
        )}
      </Scrolled>
    </section>
  );
}

const ANSWERS: Readonly<Record<NonNullable<DeliveryView['answer']>, string>> = {
  none: '',
  given: 'its reply was given to the agent',
  sent_later: 'its reply came late and was sent by commands',
  invalid: 'its reply was not a valid one',
};

function Row({ delivery, onReplay }: { delivery: DeliveryView; onReplay: (id: string) => Promise<void> }) {
  const [busy, setBusy] = useState(false);
  const { id, event_type, state, attempts, created_at, next_attempt_at, last_status, last_error } = delivery;
  const said = delivery.answer === null ? '' : ANSWERS[delivery.answer];
  return (
    <li>
      <div class="grow">
        <p>
          <strong>{event_type}</strong> <span class="soft mono">{id}</span>
        </p>
        <p class="soft">
          <Time at={created_at} />, {counted(attempts, 'attempt')}
          {last_status !== null && `, answered ${last_status}`}
          {last_error !== null && `, ${last_error}`}
          {said !== '' && `, ${said}`}
          {state === 'waiting' && attempts > 0 && (
            <>
              , again <Time at={next_attempt_at} none="soon" />
            </>
          )}
        </p>
      </div>
      <Pill tone={TONES[state]}>{spoken(state)}</Pill>
      <button
        type="button"
        disabled={busy}
        aria-label={`Send again: ${event_type} ${id}`}
        onClick={() => {
          setBusy(true);
          void onReplay(id).finally(() => setBusy(false));
        }}
      >
        Send again
      </button>
    </li>
  );
}
