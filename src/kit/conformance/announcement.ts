import type { ConformanceTarget } from './ConformanceRun.js';

/** What the checks will do to the backend, for a person to agree to. */
export function announcement({ url, agent, other, person, sendUrl }: ConformanceTarget): string[] {
  return [
    `The checks act as two agents towards ${url}, and leave data there:`,
    `  - they register ${agent.id} (${agent.phone}), and connect as it and as ${other.id};`,
    '    an agent with one of these ids that is connected now is disconnected (4409);',
    `  - they post about a dozen messages from ${person}, marked as such, which the backend answers as it answers`,
    '    anybody (that may cost money), a few events (one of 4 MiB), a status, and an image of one pixel;',
    sendUrl === undefined
      ? '  - they do not have it send texts: no --send-url was given;'
      : `  - they post about 30 texts "edge-agent conformance …" for ${person} to ${sendUrl}. The checks receive them\n    instead of an agent, so none reaches a phone; all are acked at the end, or when it is stopped;`,
    '  - they try wrong credentials two dozen times, at every endpoint, which may cause alerts.',
    'The numbers are fictitious (555-01xx).',
  ];
}
