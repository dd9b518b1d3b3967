import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { completionScript } from '../../src/cli/completions.js';
import { SHELLS } from '../../src/cli/dev/completionsVerb.js';
import { edgeProgram, verbsOf } from '../../src/cli/program.js';

/** What `edge-agent <kind> list --json` prints for the shell. */
const LISTED = {
  commands: { schema: 1, commands: [{ command_id: 'cmd_12', command_type: 'x' }, { command_id: 'cmd_9' }] },
  conversations: { schema: 1, conversations: [{ conversation: '+1•••1234', name: 'conversation' }] },
};

function complete(...words: string[]): string[] {
  const listed = Object.entries(LISTED).map(
    ([kind, answer]) =>
      `[[ "$*" == "${kind} list --json" ]] && cat <<'EOF'\n${JSON.stringify(answer, null, 2)}\nEOF\n`,
  );
  const script = `edge-agent() {\n${listed.join('')}true\n}\n${completionScript('bash', edgeProgram())}
COMP_WORDS=(edge-agent "$@"); COMP_CWORD=$#; _edge_agent; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((word) => word !== '');
}

test('bash completes verbs, the verbs of a group, options, files and choices', () => {
  expect(complete('stat')).toEqual(['status']);
  expect(complete('queue', 'r')).toEqual(['retry']);
  expect(complete('--config', 'x.yaml', 'queue', 'd')).toEqual(['drop']);
  expect(complete('status', '--w')).toEqual(['--watch']);
  expect(complete('completions', 'f')).toEqual(['fish']);
  expect(complete('run', '--config', 'package.js')).toEqual(['package.json']);
  expect(complete('logs', '--since', '')).toEqual([]);
  expect(complete('logs', '--level', 'w')).toEqual(['warn']);
  expect(complete('install', '--runtime', '')).toEqual(['private', 'current']);
});

test('bash completes the ids that the agent lists, and none if it lists none', () => {
  expect(complete('commands', 'show', 'cmd_1')).toEqual(['cmd_12']);
  expect(complete('commands', 'show', 'cmd_')).toEqual(['cmd_12', 'cmd_9']);
  expect(complete('conversations', 'show', '+')).toEqual(['+1•••1234']);
  expect(complete('queue', 'drop', 'A')).toEqual([]);
  expect(complete('commands', 'show', '--j')).toEqual(['--json']);
});

test.each(SHELLS)('the script for %s names every verb and every option', (shell) => {
  const script = completionScript(shell, edgeProgram());
  for (const verb of verbsOf(edgeProgram()).slice(1)) {
    expect(script).toContain(verb.name());
    for (const { long } of verb.options) expect(script).toContain((long ?? '').replace(/^--/, ''));
  }
});
