/** Why a socket is closed, and what follows. */
interface CloseCode {
  readonly code: number;
  readonly description: string;
}

/** The close codes of the channel to the backend (docs/protocol.md, 3); after any other one the agent connects again. */
export const EDGE_CLOSE_CODES: readonly CloseCode[] = [
  { code: 1000, description: 'By the agent: it is stopping.' },
  { code: 1008, description: 'By the backend: the token does not verify. The agent registers again.' },
  { code: 1009, description: 'By either: a frame above 16 MiB. The agent reconnects.' },
  { code: 1011, description: 'By the backend: it failed, or could not store. The agent reconnects.' },
  { code: 1012, description: 'By the backend: it restarts. The agent reconnects.' },
  { code: 1013, description: 'By the backend: try again later. The agent waits 8 s at least.' },
  { code: 4001, description: 'By the backend: no Authorization. The agent registers again.' },
  { code: 4401, description: 'The same as 4001.' },
  { code: 4403, description: 'The same as 1008.' },
  { code: 4408, description: 'By the backend: no frame for 60 s. The agent reconnects.' },
  {
    code: 4409,
    description:
      'By the backend: another socket with this agent id took over. The agent waits 30 s at least.',
  },
];

/** The close codes of the channel to the operators (docs/monitor.md). */
export const MONITOR_CLOSE_CODES: readonly CloseCode[] = [
  { code: 1001, description: 'By the agent: it is stopping.' },
  { code: 1009, description: 'By the agent: a frame above 64 KiB.' },
  { code: 1013, description: 'By the agent: too many connections, try again later.' },
  { code: 4000, description: 'By the agent: no frame for 60 s.' },
  { code: 4001, description: 'By the agent: the token expired, or the secret was rotated.' },
  { code: 4008, description: 'By the agent: too many frames.' },
];
