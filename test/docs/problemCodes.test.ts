import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ErrorCode } from '../../src/model/errorCodes.js';
import { problemCodes } from '../../src/operator/problemMeanings.js';
import { page, tableUnder } from './page.js';

/** For each code of a problem, the test in which the real thing breaks and the code is found. */
const BROKEN_IN: Readonly<Partial<Record<ErrorCode, string>>> = {
  stopping: 'e2e/instance.test.ts',
  config_invalid: 'e2e/runService.test.ts',
  config_unreadable: 'faults/vitalSigns.test.ts',
  config_needs_restart: 'e2e/configReload.test.ts',
  tls_setting_ignored: 'faults/unverifiedTls.test.ts',
  state_restored: 'faults/restore.test.ts',
  state_shared: 'faults/restore.test.ts',
  witness_unwritable: 'faults/restore.test.ts',
  alerts_failing: 'faults/vitalSigns.test.ts',
  state_unwritable: 'faults/disk.test.ts',
  state_moved: 'faults/restore.test.ts',
  store_damaged: 'faults/damagedStore.test.ts',
  disk_full: 'faults/disk.test.ts',
  too_many_files: 'faults/machine.test.ts',
  machine_exhausted: 'faults/vitalSigns.test.ts',
  clock_skew: 'faults/clockSkew.test.ts',
  health_unavailable: 'e2e/health.test.ts',
  monitor_unavailable: 'e2e/monitor.long.test.ts',
  chatdb_missing: 'faults/chatDb.test.ts',
  chatdb_not_permitted: 'faults/chatDb.test.ts',
  chatdb_denied: 'faults/vitalSigns.test.ts',
  chatdb_unreadable: 'faults/chatDb.test.ts',
  internal: 'faults/vitalSigns.test.ts',
  reading_stalled: 'faults/vitalSigns.test.ts',
  inbound_stalled: 'e2e/supervision.long.test.ts',
  secret_missing: 'e2e/whatIsMissing.test.ts',
  plain_secret_refused: 'e2e/whatIsMissing.test.ts',
  backend_insecure: 'faults/insecureBackend.test.ts',
  backend_unauthorised: 'faults/vitalSigns.long.test.ts',
  token_expired: 'faults/vitalSigns.test.ts',
  backend_unreachable: 'faults/vitalSigns.long.test.ts',
  registration_refused: 'faults/vitalSigns.long.test.ts',
  messages_not_taken: 'faults/vitalSigns.test.ts',
  messages_unanswered: 'faults/vitalSigns.test.ts',
  acks_unread: 'faults/vitalSigns.long.test.ts',
  uploads_stuck: 'faults/vitalSigns.long.test.ts',
  sync_failing: 'faults/vitalSigns.long.test.ts',
  websocket_unavailable: 'faults/vitalSigns.long.test.ts',
  websocket_refused: 'faults/vitalSigns.test.ts',
  link_unstable: 'faults/vitalSigns.long.test.ts',
  agent_duplicated: 'faults/vitalSigns.long.test.ts',
  automation_pending: 'e2e/automation.test.ts',
  automation_denied: 'faults/vitalSigns.long.test.ts',
  osascript_missing: 'faults/machine.test.ts',
  messages_unavailable: 'faults/vitalSigns.test.ts',
  sending_paused: 'faults/vitalSigns.long.test.ts',
  sends_failing: 'faults/vitalSigns.long.test.ts',
  texts_undecided: 'faults/restoredUnderWay.test.ts',
  schedule_overdue: 'faults/vitalSigns.test.ts',
  messages_set_aside: 'faults/vitalSigns.test.ts',
  messages_expired: 'faults/vitalSigns.test.ts',
  item_set_aside: 'faults/poison.test.ts',
  delivery_refused: 'faults/vitalSigns.long.test.ts',
};

test('every code of a problem is caused for real in a test', () => {
  expect(Object.keys(BROKEN_IN).toSorted()).toEqual(problemCodes().toSorted());
  for (const [code, file] of Object.entries(BROKEN_IN)) {
    const source = readFileSync(join(import.meta.dirname, '..', file), 'utf8');
    expect([code, source.includes(`'${code}'`)]).toEqual([code, true]);
  }
});

test('exactly the codes of problems are documented to degrade the agent, each with what to do', () => {
  const rows = tableUnder('## Codes', page('docs/operating.md'));
  const degrading = rows.filter(([, , where = '']) => /\bdegrades\b/.test(where));
  const named = degrading.map(([code = '']) => code.replaceAll('`', ''));
  expect(named.toSorted()).toEqual(problemCodes().toSorted());
  for (const [code, , , remedy = ''] of degrading) expect([code, remedy.length > 10]).toEqual([code, true]);
});
