import { z } from 'zod';
import { count, live, path, pathNotes, range, remote, settingNotes } from '../settingNotes.js';

/** https, or http where it does not leave this machine. */
const HEARTBEAT_URL = /^(?:https:\/\/|http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?=[:/]|$))[^\s]+$/;

/** What is looked after besides. */
export const supervisor = z.strictObject({
  enabled: z.boolean().default(true).register(settingNotes, {
    description: 'On macOS: opens Messages hidden, keeps it running and restarts it when it hangs.',
  }),
  caffeinate: z.boolean().default(true).register(settingNotes, {
    description: 'On macOS: keeps the Mac awake while the agent runs.',
  }),
});

/** The real-time channel for operators. */
export const monitor = z.strictObject({
  enabled: z.boolean().default(true).register(settingNotes, {
    description: 'Whether the local real-time channel for operators is served, on this machine only.',
  }),
  port: count(0, 65_535).default(3100).register(settingNotes, {
    description: 'Its port; 0 takes any free one. A port in use is a warning, not a failure.',
    expected: 'a port from 0 to 65535',
  }),
});

/** The agent as other programs watch it. */
export const health = z.strictObject({
  enabled: z.boolean().default(false).register(settingNotes, {
    description:
      'Whether /health, /ready and /metrics (Prometheus) are served by HTTP, on this machine only.',
  }),
  port: count(0, 65_535).default(3101).register(settingNotes, {
    description: 'Their port on 127.0.0.1; 0 takes any free one. A port in use is a warning, not a failure.',
    expected: 'a port from 0 to 65535',
  }),
  heartbeat_url: z
    .string()
    .regex(HEARTBEAT_URL)
    .optional()
    .register(settingNotes, {
      description:
        'A URL that is fetched again and again while the agent is healthy, for an alert when it no longer is.',
      expected: 'an https URL (http only for this machine)',
      secretPath: true,
      ...live,
    }),
  heartbeat_seconds: range(10, 86_400)
    .default(300)
    .register(settingNotes, {
      description: 'How often it is fetched.',
      ...live,
    }),
});

/** What must not be forgotten. */
export const state = z.strictObject({
  directory: path().register(settingNotes, {
    description: 'Where the agent keeps what it must not forget. One agent a directory.',
    derived:
      '~/Library/Application Support/edge-agent (macOS), $XDG_STATE_HOME/edge-agent or ~/.local/state/edge-agent (elsewhere)',
    ...pathNotes,
  }),
});

/** The log file. */
export const logging = z.strictObject({
  level: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .register(settingNotes, {
      description: 'The least important lines that are still written. debug may hold message texts.',
      ...remote,
    }),
  file: path().register(settingNotes, {
    description: 'The log file.',
    derived: 'edge-agent.log in state.directory',
    ...pathNotes,
  }),
  format: z
    .enum(['text', 'json'])
    .default('text')
    .register(settingNotes, {
      description: 'text: [time] [LEVEL] message. json: one object a line.',
      ...live,
    }),
  max_bytes: count(10_000, 1_073_741_824)
    .default(10_485_760)
    .register(settingNotes, {
      description:
        'A log of that size is rotated: its lines go to edge-agent.log.1, those there to .2, and so on.',
      expected: 'a whole number of bytes from 10000 to 1073741824',
      ...live,
    }),
  max_age_days: range(0, 3650)
    .default(7)
    .register(settingNotes, {
      description: 'A log whose oldest line is older than this is rotated too; 0 is never.',
      ...live,
    }),
  keep: count(1, 1000)
    .default(5)
    .register(settingNotes, {
      description: 'So many rotated logs are kept; what is older is removed.',
      ...live,
    }),
});
