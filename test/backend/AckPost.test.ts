import { describe, expect, test } from 'vitest';
import { AckPost } from '../../src/backend/AckDelivery.js';
import type { HttpClient, HttpOutcome, HttpRequest } from '../../src/backend/HttpClient.js';
import { ackBody } from '../../src/backend/protocol.js';
import { FakeClock } from '../support/FakeClock.js';

describe('posting one ack', () => {
  test('remembers for an hour, and no longer, which endpoints a backend lacks', async () => {
    const clock = new FakeClock();
    const asked: string[] = [];
    const answers: Record<string, HttpOutcome> = {};
    const http = {
      post: (request: HttpRequest) => {
        asked.push(request.path);
        const missing: HttpOutcome = { kind: 'status', status: 404, json: {}, detail: 'HTTP 404' };
        return Promise.resolve(answers[request.path] ?? missing);
      },
    } as Pick<HttpClient, 'post'> as HttpClient;
    const post = new AckPost(http, clock, () => 1_000);
    const body = ackBody({ commandId: 'c', error: null, at: 0, revision: 1 });
    expect(await post.post(body)).toEqual({ kind: 'noEndpoint', again: 3_600_000 });
    clock.advance(3_599_999);
    expect(await post.post(body)).toEqual({ kind: 'noEndpoint', again: 3_600_000 });
    expect(asked).toEqual(['/edge/command/ack', '/edge/ack_command']);
    answers['/edge/command/ack'] = { kind: 'ok', status: 200, json: {}, detail: 'HTTP 200' };
    clock.advance(1);
    expect(await post.post(body)).toEqual({ kind: 'read' });
  });
});
