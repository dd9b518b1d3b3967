import { describe, expect, test } from 'vitest';
import { addContacts } from '../support/addressBook.js';
import { EdgeWorld } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

describe('names from Contacts and of groups', { concurrent: true }, () => {
  test('are shown to the operator once enabled, and never leave this machine', async (context) => {
    const world = await EdgeWorld.open(context);
    addContacts(world.directory, [{ first: 'Jane', last: 'Quimby', phones: ['(310) 555-1234'] }]);
    const family = world.mac.chatDb.groupChat(['+13105551234', '+13105559876'], { name: 'Quimby\nfamily' });
    const daemon = await world.start();
    const toPerson = world.command('hello');
    const toGroup = world.command('hello all', { thread_id: family.identifier });
    await Promise.all([world.acked(toPerson), world.acked(toGroup)]);
    const shown = async (id: string) => (await world.cli('commands', 'show', id)).stdout;
    expect(await shown(toGroup)).toContain(`to Quimby family (${family.identifier})`);
    expect(await shown(toPerson)).not.toContain('Quimby');

    world.writeConfig({ 'contacts.enabled': true });
    await until(
      async () => (await shown(toPerson)).includes('to Jane Quimby (+1•••1234)'),
      () => 'the name to be shown',
    );
    await world.cli('send', '+13105551234', 'later', '--at', '23:59');
    expect((await world.cli('schedule', 'list')).stdout).toContain('to Jane Quimby (+1•••1234)');

    await daemon.kill('SIGTERM');
    expect((await world.cli('schedule', 'list')).stdout).toContain('to Jane Quimby (+1•••1234)');
    const { statuses, acks, events, syncs, registrations } = world.backend;
    expect(statuses.length).toBeGreaterThan(0);
    expect(JSON.stringify({ statuses, acks, events, syncs, registrations })).not.toMatch(/Quimby/);
    expect(world.log().join('\n')).not.toMatch(/Quimby/);
  });
});
