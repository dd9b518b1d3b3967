import type { CommandDetail } from '../../monitor-client/index.js';
import { useAnswer } from '../hooks.js';
import { useOperator } from '../operator.js';
import { titled } from '../people.js';
import { Answered } from '../pieces/Answered.js';
import { Icon } from '../pieces/Icon.js';
import { Pill } from '../pieces/Pill.js';
import { Scrolled } from '../pieces/Scrolled.js';
import { hrefOf } from '../route.js';
import { counted, duration, exactTime, fullTime, spoken } from '../words.js';
import { COMMAND_TONES, stepTone } from './tones.js';

/** One command from its receipt to the ack that the backend read, and the texts that it had sent. */
export function CommandTimeline({ id }: { id: string }) {
  const { client, reveals } = useOperator();
  const answer = useAnswer(client, 'commands.show', { id, texts: reveals }, [
    'commands',
    'sends',
    'schedule',
  ]);
  return (
    <section class="thread" aria-label={`Command ${id}`}>
      <header class="row">
        <a class="back" href={hrefOf('commands')} aria-label="All commands">
          <Icon name="back" />
        </a>
        <h2 class="grow cut mono">{id}</h2>
      </header>
      <Scrolled label="Steps">
        <Answered answer={answer}>{(command) => <Life command={command} reveals={reveals} />}</Answered>
      </Scrolled>
    </section>
  );
}

function Life({ command, reveals }: { command: CommandDetail; reveals: boolean }) {
  const { timeline, texts, schedule } = command;
  const started = Date.parse(timeline[0]?.at ?? command.received_at);
  return (
    <>
      <p class="row">
        <strong>{spoken(command.command_type)}</strong>
        <Pill tone={COMMAND_TONES[command.state]}>{command.state}</Pill>
        <span class="soft">by {command.via}</span>
      </p>
      {command.error !== null && <p class="notice bad">{command.error}</p>}
      {schedule !== null && (
        <p class="soft">
          Scheduled for {fullTime(Date.parse(schedule.send_at))}: {schedule.status}
        </p>
      )}
      <ol class="timeline">
        {timeline.map(({ at, step, detail }, index) => {
          const time = Date.parse(at);
          return (
            <li key={`${step}${index}`} class={stepTone(step)}>
              <p class="row">
                <strong class="grow">{spoken(step)}</strong>
                <span class="soft">{index === 0 ? '' : `+${duration(time - started)}`}</span>
                <time dateTime={at} title={fullTime(time)}>
                  {exactTime(time)}
                </time>
              </p>
              {detail !== '' && <p class="soft">{detail}</p>}
            </li>
          );
        })}
      </ol>
      {texts.length > 0 && (
        <>
          <h3>{counted(texts.length, 'text')}</h3>
          <ul class="rows">
            {texts.map((text, index) => (
              <li key={index}>
                <div class="grow">
                  <p>
                    {titled(text, reveals)} · {text.file ?? counted(text.characters, 'character')}
                  </p>
                  <p class="soft">
                    {counted(text.attempts, 'attempt')}
                    {text.service !== null && ` · ${text.service}`}
                    {text.error !== null && ` · ${text.error}`}
                  </p>
                </div>
                {text.paused && <Pill tone="warn">paused</Pill>}
                <Pill tone={stepTone(text.state)}>{text.state}</Pill>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}
