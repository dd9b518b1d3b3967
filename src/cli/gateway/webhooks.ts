import type { WebhookDelivery } from '../../gateway/ledger/webhookDeliveries.js';
import type { WebhookEndpoint } from '../../gateway/ledger/webhookEndpoints.js';
import { type DeliveryView, newWebhookSchema } from '../../model/gatewayApi.js';
import { fieldErrors, plainIssue } from '../../system/plainIssues.js';
import { iso, isoOrNull, withLocalTimes } from '../../system/time.js';
import { EXIT } from '../exitCodes.js';
import { complain, give, handOver, print, printJson, stdoutTerminal } from '../print.js';
import { entryLines } from '../terminal.js';
import { askGateway } from './askGateway.js';
import { ALLOW_PRIVATE } from './gatewayAdmin.js';
import { type AdminOptions, listed } from './gatewayPlace.js';

/** Has events posted to an address, and prints the secret by which its receiver verifies them. */
export async function addWebhook(
  options: AdminOptions & { events: string; agents?: string; description?: string },
  url: string,
): Promise<number> {
  const { agents, description } = options;
  const given = {
    url,
    events: listed(options.events),
    ...(agents === undefined ? {} : { agents: listed(agents) }),
    ...(description === undefined ? {} : { description }),
  };
  const wanted = newWebhookSchema.safeParse(given, { error: plainIssue });
  if (!wanted.success) {
    complain(`edge-agent: ${fieldErrors(wanted.error)[0]}.`);
    return EXIT.usage;
  }
  const asked = await askGateway(options, 'webhooks.add', wanted.data);
  if ('exitCode' in asked) return asked.exitCode;
  const { webhook, secret, isAllowed } = asked.result;
  handOver(
    options,
    { webhook: shown(webhook), secret },
    {
      title: `Webhook ${webhook.id}. Its receiver verifies with this secret (shown only once):`,
      lines: [`WEBHOOK_SECRET=${secret}`],
      notes: isAllowed ? [] : [`Only a gateway that runs with ${ALLOW_PRIVATE} posts there.`],
    },
  );
  return EXIT.ok;
}

export async function listWebhooks(options: AdminOptions): Promise<number> {
  const asked = await askGateway(options, 'webhooks.list', {});
  if ('exitCode' in asked) return asked.exitCode;
  const webhooks = asked.result.map(shown);
  if (options.json) printJson({ schema: 1, webhooks });
  else if (webhooks.length === 0)
    print('There is no webhook yet. Make one: edge-agent gateway webhooks add https://app.example.com/hook');
  else print(...webhooks.flatMap((webhook) => entryLines(webhookLine(webhook), stdoutTerminal())));
  return EXIT.ok;
}

/** Signs with a new secret; the old one signs too for `overlap` hours. */
export async function rotateWebhook(
  options: AdminOptions & { overlap: number },
  id: string,
): Promise<number> {
  const asked = await askGateway(options, 'webhooks.rotate', { id, overlapSeconds: options.overlap * 3_600 });
  if ('exitCode' in asked) return asked.exitCode;
  const { secret } = asked.result;
  const old = options.overlap === 0 ? 'no longer signs' : `also signs for ${options.overlap} h`;
  handOver(
    options,
    { id, secret },
    {
      title: `${id} has a new secret (it is shown this once); the old one ${old}:`,
      lines: [`WEBHOOK_SECRET=${secret}`],
    },
  );
  return EXIT.ok;
}

export async function removeWebhook(options: AdminOptions, id: string): Promise<number> {
  const asked = await askGateway(options, 'webhooks.remove', { id });
  if ('exitCode' in asked) return asked.exitCode;
  give(options, { id }, `${id} is removed, with its waiting deliveries.`);
  return EXIT.ok;
}

export async function listDeliveries(
  options: AdminOptions & { state?: DeliveryView['state']; limit: number },
  id: string,
): Promise<number> {
  const { state = null, limit } = options;
  const asked = await askGateway(options, 'webhooks.deliveries', { id, state, limit: Math.max(1, limit) });
  if ('exitCode' in asked) return asked.exitCode;
  const deliveries = asked.result.map(shownDelivery);
  if (options.json) printJson({ schema: 1, deliveries });
  else if (deliveries.length === 0)
    print(state === null ? 'Nothing was posted yet.' : `Nothing is ${state}.`);
  else print(...deliveries.flatMap((delivery) => entryLines(deliveryLine(delivery), stdoutTerminal())));
  return EXIT.ok;
}

/** Has an event sent again, or (`all`) every one that was set aside. */
export async function replayDeliveries(options: AdminOptions, id: string, event: string): Promise<number> {
  const asked = await askGateway(options, 'webhooks.replay', { id, event });
  if ('exitCode' in asked) return asked.exitCode;
  const { events } = asked.result;
  give(options, { events }, `Sent again: ${events.length}`);
  return EXIT.ok;
}

function shown({
  id,
  url,
  events,
  agents,
  description,
  disabledReason,
  createdAt,
  previousUntil,
}: WebhookEndpoint) {
  return {
    id,
    url,
    events,
    agents,
    description,
    enabled: disabledReason === null,
    disabled_reason: disabledReason,
    created_at: iso(createdAt),
    previous_secret_valid_until: isoOrNull(previousUntil),
  };
}

function webhookLine({
  id,
  url,
  events,
  agents,
  enabled,
  disabled_reason,
}: ReturnType<typeof shown>): string {
  const which = events.includes('*') ? 'all events' : events.join(', ');
  const whose = agents === null ? '' : `  of ${agents.join(', ')}`;
  return `${id}  ${url}  ${which}${whose}${enabled ? '' : `  disabled (${disabled_reason})`}`;
}

function shownDelivery({ eventId, eventType, agentId, state, ...rest }: WebhookDelivery) {
  return {
    event: eventId,
    event_type: eventType,
    agent: agentId,
    state,
    attempts: rest.attempts,
    created_at: iso(rest.createdAt),
    next_attempt_at: isoOrNull(rest.nextAt),
    last_attempt_at: isoOrNull(rest.lastAt),
    last_status: rest.lastStatus,
    last_error: rest.lastError,
    answer: rest.answer,
  };
}

function deliveryLine(delivery: ReturnType<typeof shownDelivery>): string {
  const { event, event_type, state, attempts, created_at, next_attempt_at, last_status, last_error } =
    delivery;
  return withLocalTimes(
    [
      event,
      event_type,
      state,
      created_at,
      `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`,
      last_status === null ? '' : `answered ${last_status}`,
      last_error ?? '',
      next_attempt_at === null || attempts === 0 ? '' : `again ${next_attempt_at}`,
    ]
      .filter((part) => part !== '')
      .join('  '),
  );
}
