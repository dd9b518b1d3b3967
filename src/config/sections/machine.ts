import { z } from 'zod';
import { count, live, path, pathNotes, range, remote, settingNotes } from '../settingNotes.js';

/** https, or http where it does not leave this machine. */
const WATCH_URL = /^(?:https:\/\/|http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?=[:/]|$))[^\s]+$/;

/** What is looked after besides. */
export const supervisor = z.strictObject({
  enabled: z.boolean().default(true).register(settingNotes, {
    description: 'On macOS: opens Messages hidden, keeps it running and restarts it when it hangs.',
  }),
  caffeinate: z.boolean().default(true).register(settingNotes, {
    description: 'On macOS: keeps the Mac awake while the agent runs.',
  }),
});

/** The names of people. */
export const contacts = z.strictObject({
  enabled: z
    .boolean()
    .default(false)
    .register(settingNotes, {
      description:
        'On macOS: whether to show operators the names of people from Contacts on this Mac. They are neither logged nor sent to the backend.',
      ...live,
    }),
});

/** The real-time channel for operators. */
export const monitor = z.strictObject({
  enabled: z.boolean().default(true).register(settingNotes, {
    description: 'Whether to serve the local monitor for operators, on this machine only.',
  }),
  port: count(0, 65_535).default(3100).register(settingNotes, {
    description: 'Its port; 0 takes any free one. A port in use is a warning, not a failure.',
    expected: 'a port from 0 to 65535',
  }),
});

/** The agent as other programs watch it. */
export const health = z.strictObject({
  enabled: z.boolean().default(false).register(settingNotes, {
    description: 'Whether to serve /health, /ready and /metrics (Prometheus) by HTTP, on this machine only.',
  }),
  port: count(0, 65_535).default(3101).register(settingNotes, {
    description: 'Their port on 127.0.0.1; 0 takes any free one. A port in use is a warning, not a failure.',
    expected: 'a port from 0 to 65535',
  }),
  heartbeat_url: z
    .string()
    .regex(WATCH_URL)
    .optional()
    .register(settingNotes, {
      description:
        'A URL to request regularly while the agent is healthy, so that a monitoring service notices when it is not.',
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

/** Whom to notify when the agent needs attention. */
export const alerts = z.strictObject({
  webhook_url: z
    .string()
    .regex(WATCH_URL)
    .optional()
    .register(settingNotes, {
      description:
        'A URL that gets a POST when the agent becomes degraded or healthy again and when a message is set aside. Preferably set in .env.',
      expected: 'an https URL (http only for this machine)',
      secretPath: true,
      ...live,
    }),
  webhook_body: z
    .enum(['json', 'slack', 'discord'])
    .default('json')
    .register(settingNotes, {
      description: 'The format of its body: for Slack, for Discord, or JSON with all fields.',
      ...live,
    }),
  notify: z
    .boolean()
    .default(false)
    .register(settingNotes, {
      description: 'On macOS: whether to show the same as a notification on this Mac.',
      ...live,
    }),
  after_seconds: range(1, 86_400)
    .default(300)
    .register(settingNotes, {
      description: 'How long the agent must be degraded before an alert is sent.',
      ...live,
    }),
});

/** Whether there is a newer version. */
export const updates = z.strictObject({
  check: z
    .boolean()
    .default(false)
    .register(settingNotes, {
      description:
        'Whether to check the configured npm registry once a day for a newer version of the agent. Nothing that identifies you is sent.',
      ...live,
    }),
});

/** What must not be forgotten. */
export const state = z.strictObject({
  directory: path().register(settingNotes, {
    description: 'The directory for the agent’s own files. One agent per directory.',
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
      description: 'The minimum level. debug may include message texts.',
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
      description: 'text: [time] [LEVEL] message. json: one object per line.',
      ...live,
    }),
  max_bytes: count(10_000, 1_073_741_824)
    .default(10_485_760)
    .register(settingNotes, {
      description: 'The size at which the log is rotated: to edge-agent.log.1, that one to .2, and so on.',
      expected: 'a whole number of bytes from 10000 to 1073741824',
      ...live,
    }),
  max_age_days: range(0, 3650)
    .default(7)
    .register(settingNotes, {
      description: 'The age of its oldest line at which the log is rotated; 0: never.',
      ...live,
    }),
  keep: count(1, 1000)
    .default(5)
    .register(settingNotes, {
      description: 'How many rotated logs to keep.',
      ...live,
    }),
});
