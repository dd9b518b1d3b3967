import { z } from 'zod';
import { parseBackendUrl } from '../backendUrls.js';
import { NO_PROXY, parseProxyUrl } from '../proxyUrl.js';
import { count, live, path, pathNotes, range, remote, settingNotes } from '../settingNotes.js';

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
/** It is part of the agent's id and of tokens, see `AGENT_ID`. */
const EMAIL = /^[!-9;-?A-~]+@[!-9;-?A-~]+$/;
/** Visible ASCII except the colon: the id is sent in a header, and between colons in a token. */
const AGENT_ID = /^[!-9;-~]{1,128}$/;

/** Who we are. */
export const edge = z.strictObject({
  agent_id: z.string().regex(AGENT_ID).optional().register(settingNotes, {
    description:
      'The id of this agent. Unset: the one that registration assigns, else edge_ and the digits of the phone number, or the e-mail address.',
    expected: 'an id of visible ASCII characters without a colon',
    variable: 'EDGE_AGENT_ID',
  }),
  user_phone: z
    .string()
    .regex(new RegExp(`${PHONE.source}|${EMAIL.source}`))
    .register(settingNotes, {
      description:
        'The phone number that this Mac sends from; for an account without one, its e-mail address. Derived from edge.user_address, or from an edge.agent_id such as edge_13105550100, if not set.',
      expected: 'a phone number in E.164 form, such as "+13105550100", or an e-mail address',
      variable: 'USER_PHONE',
    }),
  user_address: z.string().regex(EMAIL).optional().register(settingNotes, {
    description: 'The e-mail address of an account that has no phone number.',
    expected: 'an e-mail address',
    variable: 'USER_ADDRESS',
  }),
  apple_id: z.string().regex(/^\S+$/).optional().register(settingNotes, {
    description: 'The Apple ID that Messages is signed in with; sent to the backend at registration.',
    expected: 'an e-mail address or a phone number',
  }),
  own_addresses: z
    .array(z.string().regex(ADDRESS))
    .default([])
    .register(settingNotes, {
      description:
        'More numbers and e-mail addresses of this account; messages from them are never forwarded as incoming.',
      expected: 'a list of phone numbers in E.164 form and e-mail addresses',
      ...live,
    }),
});

const PROXY = /^(?:none|(?:https?:\/\/)?(?:[^\s/?#@]+@)?[^\s/?#@]+\/?)$/;
const PROXY_WORDS = 'a URL such as http://proxy.example.com:3128, or none';
const proxyUrl = () =>
  z
    .string()
    .regex(PROXY)
    .refine((text) => text === NO_PROXY || parseProxyUrl(text) !== undefined, { error: PROXY_WORDS });

/** Where the backend is, and how it is asked. */
export const backend = z.strictObject({
  url: backendUrl().register(settingNotes, {
    description:
      'The URL of the backend. A path prefix is kept. Must be https unless it is on this machine. Derived from backend.websocket_url if not set.',
    expected: 'a URL such as https://backend.example.com',
    variable: 'BACKEND_URL',
  }),
  websocket_url: backendUrl().optional().register(settingNotes, {
    description: 'The URL of its WebSocket, with or without /edge/ws. Unset: derived from backend.url.',
    expected: 'a URL such as wss://backend.example.com/edge/ws',
    variable: 'BACKEND_WS_URL',
  }),
  proxy: proxyUrl()
    .optional()
    .register(settingNotes, {
      description:
        'The proxy for connections to other machines; takes precedence over HTTPS_PROXY etc., which a launchd service does not get. none: no proxy. Never used for this machine and the hosts in NO_PROXY. If it has a password, put it into .env.',
      expected: PROXY_WORDS,
      secretUser: true,
      ...live,
    }),
  ca_file: path()
    .optional()
    .register(settingNotes, {
      description:
        'A file of certificates (PEM) to trust in addition to those of Node and of the system, for a backend or a proxy with a certificate from a private authority.',
      ...pathNotes,
      ...live,
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
        'How often to sync by HTTP while the WebSocket is up, in case the backend has lost track of it; 0: never.',
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
      description: 'Allows auth.mode "secret" with a backend that is not on this machine.',
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
        'After this many failures in a row the agent reports itself degraded; it never gives up. 0: never.',
      ...live,
    }),
  ping_interval_seconds: range(1, 300)
    .default(30)
    .register(settingNotes, {
      description: 'How often a ping is sent. Backends drop an agent that is silent for 60 seconds.',
      ...remote,
    }),
});
