import type { VerbSpec } from '../VerbSpec.js';
import { wholeNumber, wholeNumberFrom } from '../wholeNumber.js';
import { GATEWAY_PLACE } from './gatewayPlace.js';
import type { GatewayRunOptions } from './gatewayRun.js';

export const gatewayRunVerb: VerbSpec = {
  name: 'run',
  about: 'run the gateway until it is stopped (the default)',
  options: [
    {
      flags: '--host <address>',
      about: 'the address to listen on; beyond loopback only once an agent or a key was added',
      default: '127.0.0.1',
    },
    {
      flags: '--port <port>',
      about: 'the port to listen on; 0: a free one',
      default: 8790,
      parse: wholeNumberFrom(0, 65_535),
    },
    ...GATEWAY_PLACE,
    {
      flags: '--public-url <url>',
      about: 'where agents reach it, for what "agents add" prints (default: $GATEWAY_PUBLIC_URL)',
    },
    {
      flags: '--uploads <place>',
      about:
        'where files from agents are kept: a directory, or s3://bucket/prefix; replicas share it (default: <data>.uploads, else ./gateway.uploads)',
    },
    {
      flags: '--keep-days <days>',
      about: 'how long finished items are kept',
      default: 90,
      parse: wholeNumberFrom(1, 36_500),
    },
    {
      flags: '--rate <requests>',
      about: 'requests per second allowed to one agent or key; 0: no limit',
      default: 100,
      parse: wholeNumber,
    },
    { flags: '--allow-private-webhooks', about: 'also post webhooks to private addresses and by http' },
    { flags: '--plain-secrets', about: 'let agents send their secret itself instead of a signed token' },
    {
      flags: '--log-level <level>',
      about: 'the minimum level',
      choices: ['debug', 'info', 'warn', 'error'],
      default: 'info',
    },
    {
      flags: '--log-format <format>',
      about: 'how lines are written (default: text at a terminal, else json)',
      choices: ['text', 'json'],
    },
    { flags: '--demo', about: 'try it: with a simulated Mac, an agent and a bot, in a temporary directory' },
  ],
  examples: [
    ['gateway --demo', 'the gateway, to try out'],
    ['gateway', 'the server that agents connect to'],
  ],
  run: async (options: GatewayRunOptions & { demo?: boolean }) =>
    options.demo === true
      ? (await import('../dev/gatewayDemo.js')).gatewayDemo(options)
      : (await import('./gatewayRun.js')).gatewayRun(options),
};
