import { parseArgs } from 'node:util';
import { createViteServer } from 'vitest/node';

/*
 * The link to the backend under faults for long, and repeatedly cut: test/soak/LinkChaos.ts and reconnects.ts, run
 * from their source. Prints what happened; the exit code is 1 if a promise was broken. Minutes are the protocol's:
 * sixty of them pass in one real minute.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
    minutes: { type: 'string', default: '60' },
    reconnects: { type: 'string', default: '5000' },
  },
});
/** Bytes that the heap may have grown by in the second half of the reconnects; collections differ by about half of it. */
const MOST_GROWTH = 400_000;

const server = await createViteServer({
  configFile: false,
  appType: 'custom',
  logLevel: 'error',
  root: new URL('../..', import.meta.url).pathname,
  server: { middlewareMode: true, watch: null, ws: false },
  optimizeDeps: { noDiscovery: true },
});
try {
  const { LinkChaos } = await server.ssrLoadModule('/test/soak/LinkChaos.ts');
  const { reconnectOften } = await server.ssrLoadModule('/test/soak/reconnects.ts');
  console.log(`seed ${values.seed}, ${values.minutes} minutes`);
  const chaos = await LinkChaos.run(Number(values.seed), Number(values.minutes));
  const { commands, events, dials, restarts, faults, broken } = chaos;
  console.log(`${commands} commands, ${events} events, ${dials} dials, ${restarts} restarts`);
  console.log(
    Object.entries(faults)
      .map(([name, count]) => `${name} ${count}`)
      .join(', '),
  );
  const cut = await reconnectOften(Number(values.reconnects));
  const kib = Math.round(cut.heapGrowth / 1024);
  console.log(`${cut.reconnects} reconnects in ${cut.seconds.toFixed(1)} s: at most ${cut.mostOpen} open`);
  const samples = cut.heap.map((bytes) => Math.round(bytes / 1024)).join(', ');
  console.log(`heap in KiB after each tenth: ${samples}; second half ${kib}`);
  const all = [...broken];
  if (cut.heapGrowth > MOST_GROWTH) all.push(`the heap grew by ${kib} KiB`);
  if (cut.mostOpen > 1) all.push(`${cut.mostOpen} sockets were open at once`);
  for (const one of all) console.log(`BROKEN  ${one}`);
  console.log(all.length === 0 ? 'every promise was kept' : `${all.length} broken promises`);
  process.exitCode = all.length === 0 ? 0 : 1;
} finally {
  await server.close();
}
