import { z } from 'zod';
import { parseBackendUrl } from './backendUrls.js';
import { PATH_PATTERN } from './places.js';

/** What is known of a setting beyond its type and default. */
export interface SettingNotes {
  readonly description: string;
  /** Completes "expected …" where type and range do not say enough. */
  readonly expected?: string;
  /** Its short environment name; every setting also has `EDGE_<PATH>`. */
  readonly variable?: string;
  /** A default that depends on the platform or another setting, in words; the loader supplies it. */
  readonly derived?: string;
  /** A path of a file or directory: `~` and relative paths are made absolute. */
  readonly path?: true;
  /** A URL whose path is a kind of secret: nobody is shown more of it than its host. */
  readonly secretPath?: true;
  /** The backend may change it (`config_update`). Implies `reload`. */
  readonly remote?: true;
  /** A change in the file counts at once; without it, with the next start. */
  readonly reload?: true;
}

/** The notes of every setting in `configSchema`. */
export const settingNotes = z.registry<SettingNotes>();

const live = { reload: true } as const;
const remote = { reload: true, remote: true } as const;

const path = () => z.string().regex(PATH_PATTERN);
const pathNotes = { path: true, expected: 'a path (~ is your home directory)' } as const;
const range = (from: number, to: number) => z.number().min(from).max(to);
const count = (from: number, to: number) => z.int().min(from).max(to);
const backendUrl = () =>
  z.string().check((context) => {
    const judged = parseBackendUrl(context.value);
    if (judged.kind === 'refused') {
      context.issues.push({ code: 'custom', message: judged.expected, input: context.value });
    }
  });

/** ITU-T E.164: a plus, a country code that does not begin with 0, at most 15 digits in all. */
const PHONE = /^\+[1-9]\d{6,14}$/;
const ADDRESS = /^(?:\+[1-9]\d{6,14}|[^\s@,]+@[^\s@,]+)$/;
/** A person's address or a group's id as chat.db has it; what it means is found out where it is compared. */
const FORWARD_ENTRY = /^[^\s,][^,]*$/;
const FORWARD_EXPECTED = 'a list of phone numbers, e-mail addresses and group ids';
/** A directory other than the root itself. */
const ABSOLUTE_PATH = /^\/[^\0]*[^\0/]\/*$/;
/** https, or http where it does not leave this machine. */
const HEARTBEAT_URL = /^(?:https:\/\/|http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?=[:/]|$))[^\s]+$/;
/** Visible ASCII but for the colon: the id stands in a header, and between colons in a token. */
const AGENT_ID = /^[!-9;-~]{1,128}$/;

/**
 * Every setting: the one source of validation, defaults, environment names and documentation. A setting without
 * default that is not optional must be given, unless its notes call its default derived.
 */
export const configSchema = z.strictObject({
  edge: z.strictObject({
    agent_id: z.string().regex(AGENT_ID).optional().register(settingNotes, {
      description:
        'The id this agent goes by. Unset: the one registration gives, else edge_ and the digits of the phone.',
      expected: 'an id of visible ASCII characters without a colon',
      variable: 'EDGE_AGENT_ID',
    }),
    user_phone: z.string().regex(PHONE).register(settingNotes, {
      description: 'The number that this Mac sends from.',
      expected: 'a phone number in E.164 form, such as "+13105550100"',
      variable: 'USER_PHONE',
    }),
    apple_id: z.string().regex(/^\S+$/).optional().register(settingNotes, {
      description: 'The Apple ID that Messages is signed in with; told to the backend on registration.',
      expected: 'an e-mail address or a phone number',
    }),
    own_addresses: z
      .array(z.string().regex(ADDRESS))
      .default([])
      .register(settingNotes, {
        description:
          'Further numbers and e-mail addresses of our own: what they send is never forwarded as incoming.',
        expected: 'a list of phone numbers in E.164 form and e-mail addresses',
        ...live,
      }),
  }),
  backend: z.strictObject({
    url: backendUrl().register(settingNotes, {
      description: 'Where the backend is. A path prefix is kept. Off this machine it must be https or wss.',
      expected: 'a URL such as https://backend.example.com',
      variable: 'BACKEND_URL',
    }),
    websocket_url: backendUrl().optional().register(settingNotes, {
      description: 'Where its WebSocket is, with or without /edge/ws. Unset: derived from backend.url.',
      expected: 'a URL such as wss://backend.example.com/edge/ws',
      variable: 'BACKEND_WS_URL',
    }),
    sync_interval_seconds: range(1, 3600)
      .default(15)
      .register(settingNotes, {
        description: 'How often commands are fetched by HTTP while the WebSocket is down.',
        ...remote,
      }),
    request_timeout_seconds: range(1, 600)
      .default(60)
      .register(settingNotes, {
        description: 'How long one HTTP request may take.',
        ...live,
      }),
    safety_sync_seconds: range(0, 86_400)
      .default(300)
      .register(settingNotes, {
        description:
          'How often a sync is made beside a live WebSocket, in case the backend has lost us; 0 is never.',
        ...remote,
      }),
  }),
  auth: z.strictObject({
    mode: z
      .enum(['hmac', 'secret'])
      .default('hmac')
      .register(settingNotes, {
        description:
          'hmac: a fresh token signed with EDGE_SECRET each time. secret: EDGE_SECRET itself (development).',
        ...live,
      }),
    allow_plain_secret: z
      .boolean()
      .default(false)
      .register(settingNotes, {
        description: 'Lets auth.mode "secret" be used with a backend that is not on this machine.',
        ...live,
      }),
  }),
  websocket: z.strictObject({
    enabled: z.boolean().default(true).register(settingNotes, {
      description: 'false: commands come by HTTP polling only.',
    }),
    reconnect_attempts: count(0, 1000)
      .default(10)
      .register(settingNotes, {
        description:
          'After so many failures in a row the agent reports itself degraded; it never gives up. 0 is never.',
        ...live,
      }),
    ping_interval_seconds: range(1, 300)
      .default(30)
      .register(settingNotes, {
        description: 'How often a ping is sent. Backends drop an agent that is silent for 60 seconds.',
        ...remote,
      }),
  }),
  imessage: z.strictObject({
    db_path: path()
      .default('~/Library/Messages/chat.db')
      .register(settingNotes, {
        description: 'The database of Messages; it is only read.',
        ...pathNotes,
      }),
    attachments_path: path()
      .default('~/Library/Messages/Attachments')
      .register(settingNotes, {
        description: 'Where Messages keeps attachments; need not exist yet.',
        ...pathNotes,
      }),
    osascript_path: path()
      .default('/usr/bin/osascript')
      .register(settingNotes, {
        description: 'The program that runs AppleScript.',
        ...pathNotes,
      }),
    max_message_age_seconds: range(1, 2_592_000)
      .default(21_600)
      .register(settingNotes, {
        description:
          'An incoming message older than this is not forwarded; time that we or the backend were down is not counted.',
        ...remote,
      }),
    catch_up_hours: range(0, 720)
      .default(24)
      .register(settingNotes, {
        description: 'The oldest message that is still forwarded, downtime counted.',
        ...live,
      }),
    send_timeout_seconds: range(1, 600)
      .default(90)
      .register(settingNotes, {
        description:
          'After this long an osascript that does not end is killed; its text then counts as "outcome unknown".',
        ...live,
      }),
    stall_minutes: range(0, 10_080)
      .default(240)
      .register(settingNotes, {
        description:
          'On macOS: when chat.db gets no row at all for so long, Messages is nudged and the backend is told; 0 is never.',
        ...live,
      }),
    canary_minutes: range(0, 10_080)
      .default(0)
      .register(settingNotes, {
        description:
          'On macOS: after so long without a row a text is sent to our own number, to see whether it arrives; 0 is never.',
        ...live,
      }),
  }),
  forward: z.strictObject({
    allow: z
      .array(z.string().regex(FORWARD_ENTRY))
      .default([])
      .register(settingNotes, {
        description:
          'If it names anybody, the backend sees only these people, wherever they write, and these groups.',
        expected: FORWARD_EXPECTED,
        ...live,
      }),
    ignore: z
      .array(z.string().regex(FORWARD_ENTRY))
      .default([])
      .register(settingNotes, {
        description: 'The backend never sees these people, in groups either, nor these groups.',
        expected: FORWARD_EXPECTED,
        ...live,
      }),
    unknown_senders: z
      .boolean()
      .default(true)
      .register(settingNotes, {
        description:
          'Whether the backend sees people whom Messages filters as unknown, or in whose chat nothing was ever sent from here.',
        ...live,
      }),
    one_time_codes: z
      .boolean()
      .default(false)
      .register(settingNotes, {
        description: 'Whether the backend sees codes for signing in somewhere.',
        ...live,
      }),
    reactions: z
      .boolean()
      .default(true)
      .register(settingNotes, {
        description: 'Whether tapbacks and stickers on messages are told as events.',
        ...live,
      }),
    edits: z
      .boolean()
      .default(true)
      .register(settingNotes, {
        description: 'Whether it is told as an event that a forwarded message was changed by its sender.',
        ...live,
      }),
    unsends: z
      .boolean()
      .default(true)
      .register(settingNotes, {
        description: 'Whether it is told as an event that a forwarded message was taken back by its sender.',
        ...live,
      }),
    group_events: z
      .boolean()
      .default(true)
      .register(settingNotes, {
        description: 'Whether it is told as an event that people or the name of a group changed.',
        ...live,
      }),
    transcriptions: z
      .boolean()
      .default(true)
      .register(settingNotes, {
        description:
          'Whether it is told as an event what was said in a forwarded audio message, where that is written down later.',
        ...live,
      }),
    filtered: z
      .boolean()
      .default(true)
      .register(settingNotes, {
        description:
          'Whether it is told as an event, without its text, that a message was kept back for what it is or its age.',
        ...live,
      }),
    delivery: z
      .boolean()
      .default(true)
      .register(settingNotes, {
        description:
          'Whether it is told as an event that a text was delivered, read or turned into an SMS. Failures always are.',
        ...live,
      }),
  }),
  outgoing: z.strictObject({
    bubble_delay_ms: count(0, 60_000)
      .default(800)
      .register(settingNotes, {
        description: 'The pause between two bubbles of one reply.',
        ...remote,
      }),
    max_text_length: count(1, 100_000)
      .default(10_000)
      .register(settingNotes, {
        description:
          'A longer text is cut, counted in characters, or refused (split_long_texts); so is one above 100 000 bytes.',
        ...live,
      }),
    pause_on_operator_reply: z
      .boolean()
      .default(false)
      .register(settingNotes, {
        description:
          'Whether nothing more goes out in a conversation in which a person answered from another device, until it is resumed.',
        ...live,
      }),
    on_unknown: z
      .enum(['report', 'resend'])
      .default('report')
      .register(settingNotes, {
        description:
          'What becomes of a text that may or may not have been sent. resend may show it to the person twice.',
        ...live,
      }),
    split_long_texts: z
      .boolean()
      .default(true)
      .register(settingNotes, {
        description: 'Whether a text above max_text_length is sent in several instead of refused.',
        ...live,
      }),
    sms_fallback: z
      .enum(['never', 'known', 'always'])
      .default('known')
      .register(settingNotes, {
        description:
          'Whether a text goes by SMS where iMessage refuses the target; known: to people met by SMS or RCS before; never: nor in conversations by SMS.',
        ...live,
      }),
    max_per_minute: count(0, 1000)
      .default(0)
      .register(settingNotes, {
        description: 'So many texts a minute go to one conversation, the others wait; 0 is no limit.',
        ...live,
      }),
    max_new_recipients_per_hour: count(0, 1000)
      .default(20)
      .register(settingNotes, {
        description:
          'So many people an hour are written to that chat.db does not know, the others wait; 0 is no limit.',
        ...live,
      }),
  }),
  attachments: z.strictObject({
    upload: z
      .boolean()
      .default(true)
      .register(settingNotes, {
        description: 'Whether images of incoming messages are uploaded to the backend.',
        ...live,
      }),
    max_bytes: count(1, 104_857_600)
      .default(8_388_608)
      .register(settingNotes, {
        description: 'A larger file is neither sent nor uploaded.',
        ...live,
      }),
    allowed_roots: z
      .array(z.string().regex(ABSOLUTE_PATH))
      .default([])
      .register(settingNotes, {
        description: 'Directories below which the backend may name files by path, to be sent.',
        expected: 'a list of absolute paths',
        ...live,
      }),
    allow_private_addresses: z
      .boolean()
      .default(false)
      .register(settingNotes, {
        description:
          'Lets files to be sent be fetched from addresses that are not of the public internet, this machine included.',
        ...live,
      }),
  }),
  schedule: z.strictObject({
    max_lateness_seconds: range(0, 31_536_000)
      .default(3600)
      .register(settingNotes, {
        description:
          'A scheduled text that is later than this (the Mac was off) fails instead of being sent.',
        ...live,
      }),
  }),
  commands: z.strictObject({
    max_age_seconds: range(1, 31_536_000)
      .default(3600)
      .register(settingNotes, {
        description: 'A command to send now that is older than this fails instead of being sent.',
        ...remote,
      }),
    reflex_max_age_seconds: range(1, 31_536_000)
      .default(600)
      .register(settingNotes, {
        description: 'The same for reflex bubbles.',
        ...remote,
      }),
  }),
  acks: z.strictObject({
    scheduled: z
      .enum(['stored', 'sent', 'both'])
      .default('both')
      .register(settingNotes, {
        description: 'When a schedule_message is acknowledged: once stored, once sent, or both times.',
        ...live,
      }),
  }),
  privacy: z.strictObject({
    redact: z
      .array(z.enum(['ssn', 'credit_card', 'email', 'phone']))
      .default([])
      .register(settingNotes, {
        description:
          'What is taken out of incoming texts before they leave this machine: ssn, credit_card, email, phone.',
        expected: 'a list of ssn, credit_card, email and phone',
        ...live,
      }),
  }),
  supervisor: z.strictObject({
    enabled: z.boolean().default(true).register(settingNotes, {
      description: 'On macOS: opens Messages hidden, keeps it running and restarts it when it hangs.',
    }),
    caffeinate: z.boolean().default(true).register(settingNotes, {
      description: 'On macOS: keeps the Mac awake while the agent runs.',
    }),
  }),
  monitor: z.strictObject({
    enabled: z.boolean().default(true).register(settingNotes, {
      description: 'Whether the local real-time channel for operators is served, on this machine only.',
    }),
    port: count(0, 65_535).default(3100).register(settingNotes, {
      description: 'Its port; 0 takes any free one. A port in use is a warning, not a failure.',
      expected: 'a port from 0 to 65535',
    }),
  }),
  health: z.strictObject({
    enabled: z.boolean().default(false).register(settingNotes, {
      description:
        'Whether /health, /ready and /metrics (Prometheus) are served by HTTP, on this machine only.',
    }),
    port: count(0, 65_535).default(3101).register(settingNotes, {
      description:
        'Their port on 127.0.0.1; 0 takes any free one. A port in use is a warning, not a failure.',
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
  }),
  state: z.strictObject({
    directory: path().register(settingNotes, {
      description: 'Where the agent keeps what it must not forget. One agent a directory.',
      derived:
        '~/Library/Application Support/edge-agent (macOS), $XDG_STATE_HOME/edge-agent or ~/.local/state/edge-agent (elsewhere)',
      ...pathNotes,
    }),
  }),
  logging: z.strictObject({
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
  }),
});

type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;

/** The settings as the program uses them: complete, valid, absolute paths, frozen. Holds no secret: may be printed. */
export type Config = Frozen<z.output<typeof configSchema>>;
