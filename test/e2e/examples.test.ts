import { expect, test } from 'vitest';
import { EdgeWorld, PERSON, SECRET } from '../support/EdgeWorld.js';
import { missingProgram, startExample } from '../support/startExample.js';

for (const file of ['minimal-node.mjs', 'minimal_python.py'] as const) {
  const missing = missingProgram(file);
  test.skipIf(missing !== '')(`a real agent works against examples/${file}${missing}`, async (context) => {
    const world = await EdgeWorld.open(context);
    world.writeConfig({ 'backend.url': await startExample(file, { EDGE_SECRET: SECRET }, context) });
    const daemon = await world.start();
    world.mac.chatDb.receive({ from: PERSON, text: 'hello, example' });
    await world.sent(2);
    const { snapshot } = await daemon.statusUntil((status) => status.snapshot?.acks_undelivered === 0);
    expect(snapshot?.link).toBe('realtime');
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['one sec', 'you said: hello, example']);
  });
}
