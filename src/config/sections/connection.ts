import { z } from 'zod';
import { parseBackendUrl } from '../backendUrls.js';
import { count, live, range, remote, settingNotes } from '../settingNotes.js';

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
/** Visible ASCII but for the colon: the id stands in a header, and between colons in a token. */
const AGENT_ID = /^[!-9;-~]{1,128}$/;

/** Who we are. */
export const edge = z.strictObject({
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
});

/** Where the backend is, and how it is asked. */
export const backend = z.strictObject({
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
});

/** How we prove who we are. */
export const auth = z.strictObject({
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
});

/** The real-time link. */
export const websocket = z.strictObject({
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
});
