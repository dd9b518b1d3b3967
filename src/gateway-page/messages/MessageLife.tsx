import type { OutgoingMessage, StatusChange, StatusEvidence } from '../../model/gatewayMessages.js';
import { AnswerStates } from '../../monitor-page/pieces/AnswerStates.js';
import { Icon } from '../../monitor-page/pieces/Icon.js';
import { Pill } from '../../monitor-page/pieces/Pill.js';
import { Scrolled } from '../../monitor-page/pieces/Scrolled.js';
import { duration, exactTime, fullTime, spoken } from '../../monitor-page/words.js';
import { useNames } from '../gatewayConsole.js';
import { consoleHref } from '../route.js';
import { useResource } from '../useResource.js';
import { HiddenText } from './HiddenText.js';
import { STATUS_TONES } from './statusTones.js';

/** One message from the request to the last that is known of it, over both machines, each step with its evidence. */
export function MessageLife({ agent, id }: { agent: string; id: string }) {
  const message = useResource<OutgoingMessage>(
    `v1/messages/${encodeURIComponent(id)}?agent=${encodeURIComponent(agent)}`,
    ['message.status'],
  );
  return (
    <section class="thread" aria-label={`Message ${id}`}>
      <header class="row">
        <a class="back" href={consoleHref('messages', agent)} aria-label="All messages">
          <Icon name="back" />
        </a>
        <h2 class="grow cut mono">{id}</h2>
      </header>
      <Scrolled label="Steps">
        <AnswerStates answer={message}>{(value) => <Life message={value} />}</AnswerStates>
      </Scrolled>
    </section>
  );
}

function Life({ message }: { message: OutgoingMessage }) {
  const name = useNames();
  const { status, conversation, text, attachments, send_at, error, retry_safe, service, history } = message;
  const began = Date.parse(message.created_at);
  return (
    <>
      <p class="row">
        <strong class="cut">{name(conversation)}</strong>
        <Pill tone={STATUS_TONES[status]}>{status}</Pill>
        {service !== null && <span class="soft">by {service}</span>}
      </p>
      <p class="quote">
        <HiddenText text={text} files={attachments.length} />
      </p>
      {error !== null && (
        <p class="notice bad">
          <span>
            <strong>{error.code}</strong> {name(error.message)}
            {retry_safe === true && ' It may be sent again: the person cannot get it twice.'}
            {retry_safe === false && ' Sent again, the person may get it twice.'}
          </span>
        </p>
      )}
      {send_at !== null && <p class="soft">To be sent at {fullTime(Date.parse(send_at))}</p>}
      {message.deduplicated && (
        <p class="soft">The same words were sent as another text; it shares its end.</p>
      )}
      <ol class="timeline">
        {history.map((step, index) => (
          <Step key={`${step.status}${index}`} step={step} began={began} isFirst={index === 0} />
        ))}
      </ol>
    </>
  );
}

function Step({ step, began, isFirst }: { step: StatusChange; began: number; isFirst: boolean }) {
  const at = Date.parse(step.at);
  const late = Date.parse(step.recorded_at) - at;
  return (
    <li class={STATUS_TONES[step.status]}>
      <p class="row">
        <strong class="grow">{step.status}</strong>
        <span class="soft">{isFirst ? '' : `+${duration(Math.max(0, at - began))}`}</span>
        <time dateTime={step.at} title={fullTime(at)}>
          {exactTime(at)}
        </time>
      </p>
      <p class="soft">
        {evidenceWords(step.evidence)}
        {step.corrects !== undefined && `, which takes back “${step.corrects}”`}
        {late > 5_000 && `, known here ${duration(late)} later`}
      </p>
    </li>
  );
}

/** By what it is known, and on which machine that was seen. */
function evidenceWords(evidence: StatusEvidence): string {
  switch (evidence.kind) {
    case 'request':
      return 'Gateway: the application asked for it';
    case 'ack': {
      const revision = evidence.revision === 1 ? '' : `, revision ${evidence.revision}`;
      const outcome = evidence.outcome === undefined ? '' : `: ${spoken(evidence.outcome)}`;
      return `Mac: ack of the agent${revision}${outcome}`;
    }
    case 'event':
      return `Mac: ${spoken(evidence.event_type)}`;
    case 'removal':
      return 'Gateway: the agent was removed';
    case 'damage':
      return 'Gateway: what was stored cannot be read';
  }
}
