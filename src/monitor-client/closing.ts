/** How a connection ended. `code` is a close code, or undefined where we gave it up ourselves. */
export interface Ending {
  code?: number | undefined;
  reason: string;
}

const WORDS: Readonly<Record<number, string>> = {
  1001: 'The agent stops',
  1009: 'A frame was too big for the agent',
  1013: 'The agent has too many clients',
  4000: 'The agent received nothing for 60 s',
  4001: 'The token has expired, or the secret was changed',
  4008: 'Too many frames were sent',
};

/** The close code by which the agent says that another token is needed. */
const TOKEN_GONE = 4001;
const TOO_MUCH: readonly (number | undefined)[] = [1013, 4008];

/** Why the connection ended, for a person. `wasOnline`: the agent had let us in. */
export function describeEnding({ code, reason }: Ending, wasOnline: boolean): string {
  const words = code === undefined ? reason : WORDS[code];
  return words ?? (wasOnline ? 'The connection was lost' : 'The agent cannot be reached');
}

export function needsNewToken({ code }: Ending): boolean {
  return code === TOKEN_GONE;
}

/** The agent was asked too much: an early attempt would be one of too many. */
export function wantsCalm({ code }: Ending): boolean {
  return TOO_MUCH.includes(code);
}
