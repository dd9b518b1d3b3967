// Installs a package like `edge-agent install`, and is killed right before the given rename or link.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { userInfo } from 'node:os';
import { join } from 'node:path';

const { home, program, config, runtime, renew, node, mac, dist, killAt } = JSON.parse(process.argv[2]);
let changes = 0;
for (const name of ['renameSync', 'symlinkSync']) {
  const real = fs[name];
  fs[name] = (...args) => {
    changes += 1;
    if (changes === killAt) process.kill(process.pid, 'SIGKILL');
    return real(...args);
  };
}
syncBuiltinESMExports();

const { Service } = await import(join(dist, 'service/Service.js'));
const { install } = await import(join(dist, 'service/install.js'));
const { askDaemon } = await import(join(dist, 'operator/askDaemon.js'));
const { systemClock } = await import(join(dist, 'system/clock.js'));
const { inspectProgram, programs } = await import(join(dist, 'system/programs.js'));
const service = new Service({
  homeDir: home,
  uid: userInfo().uid,
  env: { HOME: home, PATH: process.env.PATH },
  programs: programs(
    Object.fromEntries(['launchctl', 'plutil', 'codesign', 'xattr'].map((name) => [name, join(mac, name)])),
  ),
  inspect: (path) => inspectProgram(path, mac),
  clock: systemClock,
  say: () => undefined,
  ask: async () => (await askDaemon(join(home, 'tiny.sock'), { verb: 'status' })).result,
  program,
  node,
  patience: { againMs: 50 },
});
await install(service, { configPath: config, runtime, renew });
