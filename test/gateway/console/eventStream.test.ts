import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventStreamParser, type StreamEvent } from '../../../src/gateway-page/eventStream.js';

function parsed(chunks: readonly string[]): StreamEvent[] {
  const events: StreamEvent[] = [];
  const parser = new EventStreamParser((event) => events.push(event));
  for (const chunk of chunks) parser.push(chunk);
  return events;
}

test('an event keeps its lines, its id, and colons in its data', () => {
  const stream = 'id: 7\nevent: message.status\ndata: {"a":\ndata: "b: c"}\n\n: keepalive\n\ndata\n\n';
  expect(parsed([stream])).toEqual([
    { id: '7', data: '{"a":\n"b: c"}' },
    { id: '7', data: '' },
  ]);
});

test('wherever the stream is cut, the events are the same', () => {
  const line = fc.string({ unit: fc.constantFrom('a', ':', ' ', '"', 'é') });
  const events = fc.array(fc.record({ id: fc.nat(), data: fc.array(line, { minLength: 1, maxLength: 3 }) }));
  const ends = fc.constantFrom('\n', '\r\n', '\r');
  fc.assert(
    fc.property(events, ends, fc.array(fc.nat()), (sent, end, cuts) => {
      const stream = sent
        .map(({ id, data }) => [`id: ${id}`, ...data.map((one) => `data: ${one}`), '', ''].join(end))
        .join('');
      const places = [0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length].sort(
        (a, b) => a - b,
      );
      const chunks = places.slice(1).map((to, index) => stream.slice(places[index], to));
      const whole = parsed([stream, '\n']);
      expect(whole).toEqual(sent.map(({ id, data }) => ({ id: String(id), data: data.join('\n') })));
      expect(parsed([...chunks, '\n'])).toEqual(whole);
    }),
  );
});
