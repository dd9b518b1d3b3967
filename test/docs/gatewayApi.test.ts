import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { OPERATIONS, type Operation } from '../../src/gateway/api/apiContract.js';
import { nextAttempt } from '../../src/gateway/webhooks/retrySchedule.js';
import { readWebhookAnswer } from '../../src/gateway/webhooks/webhookAnswer.js';
import { examplesIn } from '../../src/kit/contracts/examples.js';
import { GATEWAY_SCHEMAS, gatewayOpenapi } from '../../src/kit/contracts/gatewayOpenapi.js';
import { API_ERROR_TYPES, apiErrorSchema } from '../../src/model/gatewayApi.js';
import {
  GATEWAY_EVENT_TYPES,
  gatewayEventSchemas,
  webhookAnswerSchema,
} from '../../src/model/gatewayEvents.js';
import { MESSAGE_STATUSES } from '../../src/model/gatewayMessages.js';
import { page } from './page.js';

const text = page('docs/gateway-api.md');
const operations: ReadonlyMap<string, Operation> = new Map(Object.entries(OPERATIONS));
const events: ReadonlyMap<string, z.ZodType> = new Map(Object.entries(gatewayEventSchemas));

/** The schema that an example claims to fit. */
function schemaOf(marker: string): z.ZodType | 'file' | null | undefined {
  const [kind, name = ''] = marker.split(': ');
  switch (kind) {
    case 'api request':
      return operations.get(name)?.body;
    case 'api reply':
      return operations.get(name)?.reply;
    case 'event':
      return events.get(name);
    case 'webhook answer':
      return webhookAnswerSchema;
    default:
      return kind === 'api error' ? apiErrorSchema : undefined;
  }
}

test.each(examplesIn(text).map((example) => [example.marker ?? '', example.json]))(
  'the example of %s fits its schema and has no unknown field',
  (marker, json) => {
    const value: unknown = JSON.parse(json);
    const schema = schemaOf(marker);
    if (schema === 'file') throw new Error(`${marker}: a file has no example`);
    expect(schema?.parse(value)).toEqual(value);
  },
);

test('the example of an answer is one that the gateway gives', () => {
  const [answer] = examplesIn(text).filter(({ marker }) => marker === 'webhook answer');
  expect(readWebhookAnswer(answer?.json ?? '')).toMatchObject({
    kind: 'reply',
    texts: ['one sec', 'found one at $429', 'want the link?'],
  });
});

test('the page names every status, type of event and type of error', () => {
  for (const word of [...MESSAGE_STATUSES, ...GATEWAY_EVENT_TYPES, ...API_ERROR_TYPES]) {
    expect(text).toContain(`\`${word}\``);
  }
});

test('the page has the pauses of the retries', () => {
  const pauses = [1, 2, 3, 4, 5, 6].map(
    (attempts) => nextAttempt({ attempts, createdAt: 0, now: 0, retryAfterMs: 0 }, () => 0) ?? 0,
  );
  expect(pauses.map((ms) => ms / 1000)).toEqual([5, 300, 1_800, 7_200, 18_000, 36_000]);
  expect(text).toContain('5 s, 5 min, 30 min, 2 h, 5 h, 10 h');
});

test('the OpenAPI document is valid, and has every operation and every event', async () => {
  const document = gatewayOpenapi([text]);
  const result = await new Validator().validate(structuredClone(document));
  expect(result.errors ?? []).toEqual([]);
  expect(result.valid).toBe(true);
  const written = JSON.stringify(document);
  for (const id of operations.keys()) expect(written).toContain(`"operationId":"${id}"`);
  for (const [, name = ''] of written.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
    expect(name === 'GatewayEvent' || GATEWAY_SCHEMAS[name] !== undefined, name).toBe(true);
  }
});
