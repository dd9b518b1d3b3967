import type { Bubble } from '../../monitor-client/index.js';
import { ownName, personName } from '../personName.js';
import { clockTime, counted, fullTime, shortTime, spoken } from '../words.js';

/** Silence after which the time is written above. */
const PAUSE_MS = 15 * 60_000;
/** States that need no word: the usual ends of a message. */
const PLAIN = new Set(['sent', 'answered', 'delivered']);
const BAD = new Set(['failed', 'unknown', 'expired', 'parked']);
const STATES: Readonly<Record<string, string>> = {
  failed: 'Not sent',
  unknown: 'Not known whether it was sent',
  expired: 'Not answered',
  parked: 'Set aside',
  open: 'waits for the backend',
};
/** As much as a hidden text may say of its length. */
const MOST_BLOCKS = 12;
const CHARACTERS_A_BLOCK = 6;

/** One message as a bubble; a hidden text is only as long as it is. What is there from before is hidden too. */
export function Message(props: {
  message: Bubble;
  before: Bubble | undefined;
  reveals: boolean;
  /** Several people write here: it is said who did. */
  isGroup: boolean;
}) {
  const { message, before, reveals, isGroup } = props;
  const { direction, sender, at, state, text, characters, error } = message;
  const isBad = BAD.has(state);
  const time = Date.parse(at);
  const opens = before === undefined || time - Date.parse(before.at) > PAUSE_MS;
  const joins = !opens && before.direction === direction && before.sender === sender;
  return (
    <li class={`${direction} ${joins ? 'joins' : ''}`}>
      {opens && <p class="pause soft">{shortTime(time, Date.now())}</p>}
      {isGroup && direction === 'in' && !joins && <p class="state soft">{personName(sender)}</p>}
      <div class="bubble" title={fullTime(time)}>
        <span class="unseen">
          {direction === 'out' ? ownName(sender) : personName(sender)}, {clockTime(time)}:{' '}
        </span>
        {reveals && text !== null ? text : <Hidden characters={characters} />}
      </div>
      {sender === 'operator' && !joins && <p class="state soft">operator</p>}
      {!PLAIN.has(state) && (
        <p class={`state ${isBad ? 'bad' : 'soft'}`}>
          {STATES[state] ?? spoken(state)}
          {isBad && error != null && `: ${error}`}
        </p>
      )}
    </li>
  );
}

function Hidden({ characters }: { characters: number }) {
  const blocks = Math.min(MOST_BLOCKS, Math.max(1, Math.round(characters / CHARACTERS_A_BLOCK)));
  return (
    <span class="hidden">
      <span class="unseen">Hidden, {counted(characters, 'character')}</span>
      {Array.from({ length: blocks }, (_, index) => (
        <i key={index} />
      ))}
    </span>
  );
}
