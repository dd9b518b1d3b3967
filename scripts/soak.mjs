import { createViteServer } from 'vitest/node';

/*
 * Kills the daemon again and again and judges whether every promise was kept: test/soak/main.ts, run from its source.
 */
const server = await createViteServer({
  configFile: false,
  appType: 'custom',
  logLevel: 'error',
  root: new URL('..', import.meta.url).pathname,
  server: { middlewareMode: true, watch: null, ws: false },
  optimizeDeps: { noDiscovery: true },
});
try {
  const { main } = await server.ssrLoadModule('/test/soak/main.ts');
  process.exitCode = await main(process.argv.slice(2));
} finally {
  await server.close();
}
