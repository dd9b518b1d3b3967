import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DISPATCH_MARKER } from '../../../src/messages/applescript/scripts.js';
import { SmallDisk } from '../../support/SmallDisk.js';
import { until } from '../../support/until.js';
import { request, Workbench } from './Workbench.js';

type At = (name: string) => string;

describe.skipIf(!SmallDisk.canMount())('on a full disk', () => {
  /** A runner whose state lies on a small disk. `body` is given a place for files of its own. */
  function place(context: Parameters<typeof SmallDisk.mount>[0], body: (at: At) => string) {
    const bench = new Workbench();
    context.onTestFinished(() => bench.remove());
    const at = (name: string) => bench.path(name);
    const disk = SmallDisk.mount(context, bench.state, 2);
    const runner = bench.runner(bench.shell(body(at)));
    runner.prepare();
    return { disk, runner, at };
  }

  /** osascript runs; the disk fills up; then osascript prints so much, asks Messages, and ends. */
  async function fillsUp(context: Parameters<typeof place>[0], bytes: number, end: string) {
    const { disk, runner, at } = place(context, (own) =>
      [
        `: > '${own('begun')}'`,
        `while [ ! -e '${own('go')}' ]; do sleep 0.02; done`,
        `head -c ${bytes} /dev/zero | tr '\\0' x >&2`,
        `echo ${DISPATCH_MARKER} >&2`,
        end,
      ].join('\n'),
    );
    const asked = request();
    const run = runner.start(asked);
    await until(
      () => existsSync(at('begun')),
      () => 'osascript',
    );
    disk.fill();
    writeFileSync(at('go'), '');
    return { result: await run.result, inspection: await runner.inspect(asked.tag) };
  }

  test.for([
    ['fails', 'exit 1', 'after_dispatch'],
    ['is killed', 'kill -9 $$', 'killed'],
  ] as const)(
    'an osascript that asked Messages and then %s is not taken for one that did not ask',
    async ([, end, reason], context) => {
      const { result, inspection } = await fillsUp(context, 6_000, end);
      expect(result).toMatchObject({ kind: 'unknown', reason });
      expect(inspection).toMatchObject({ running: false, marker: true });
    },
  );

  test('an osascript that printed more than there was room for proves nothing', async (context) => {
    const { result, inspection } = await fillsUp(context, 100_000, 'exit 1');
    expect(result).toMatchObject({ kind: 'unknown' });
    expect(inspection).toMatchObject({ running: false, marker: true });
  });

  test('without room for its output, no osascript is started; later there is', async (context) => {
    const { disk, runner, at } = place(context, (own) => `: > '${own('ran')}'`);
    disk.fill(4 * 1024);
    const asked = request();
    expect(await runner.start(asked).result).toMatchObject({ kind: 'notStarted', retry: 'later' });
    expect(existsSync(at('ran'))).toBe(false);
    disk.makeRoom();
    expect(await runner.start(asked).result).toEqual({ kind: 'accepted' });
  });
});
