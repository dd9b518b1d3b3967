import type { LiveEvent, NotificationLevel } from '../../monitor-client/index.js';
import type { Style } from '../terminal.js';
import type { WatchEntry } from './watchEntry.js';

const LEVEL_STYLES: Readonly<Record<NotificationLevel, Style | undefined>> = {
  info: undefined,
  success: 'green',
  warning: 'yellow',
  error: 'red',
};

const STYLES: Readonly<Record<string, Style>> = {
  realtime: 'green',
  polling: 'yellow',
  offline: 'red',
  failed: 'red',
  unknown: 'yellow',
  warn: 'yellow',
  error: 'red',
};

export function levelStyle(level: NotificationLevel): Style | undefined {
  return LEVEL_STYLES[level];
}

/** A live event for a person. */
export function watchWords(event: LiveEvent): Pick<WatchEntry, 'type' | 'words' | 'style'> {
  switch (event.topic) {
    case 'commands': {
      const { commandType, commandId, stage, code } = event;
      const why = code === undefined ? '' : ` (${code})`;
      return {
        type: 'command',
        words: `${commandType ?? ''} ${commandId} ${stage}${why}`,
        style: STYLES[stage],
      };
    }
    case 'sends': {
      const { conversation, outcome, ms } = event;
      return { type: 'send', words: `${conversation} ${outcome} after ${ms} ms`, style: STYLES[outcome] };
    }
    case 'link':
      return { type: 'link', words: `${event.state} (${event.detail})`, style: STYLES[event.state] };
    case 'logs': {
      const fields = Object.entries(event.fields).map(([name, value]) => ` ${name}=${written(value)}`);
      return {
        type: 'log',
        words: `${event.level}: ${event.message}${fields.join('')}`,
        style: STYLES[event.level],
      };
    }
    case 'queues':
      return { type: 'queue', words: 'The queues changed: edge-agent queue' };
    case 'schedule':
      return { type: 'schedule', words: 'The schedule changed: edge-agent schedule' };
    case 'pauses':
      return { type: 'pause', words: 'The pauses changed: edge-agent status' };
    case 'doctor':
      return { type: 'status', words: 'The doctor run that the monitor requested has finished' };
    case 'problems':
      return { type: 'problem', words: 'The problems changed: edge-agent status', style: 'yellow' };
  }
}

function written(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
