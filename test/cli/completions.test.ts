import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { completionScript, SHELLS } from '../../src/cli/completions.js';
import { edgeProgram, verbsOf } from '../../src/cli/program.js';

function complete(...words: string[]): string[] {
  const script = `${completionScript('bash', edgeProgram())}
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

test.each(SHELLS)('the script for %s names every verb and every option', (shell) => {
  const script = completionScript(shell, edgeProgram());
  for (const verb of verbsOf(edgeProgram()).slice(1)) {
    expect(script).toContain(verb.name());
    for (const { long } of verb.options) expect(script).toContain((long ?? '').replace(/^--/, ''));
  }
});
