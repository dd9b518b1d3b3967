import { keptInTab } from './keptInTab.js';

/** What the page's address gave: the token of a link, and the address without it. */
export function takeLinkToken(address: URL): { token: string | null; rest: string } {
  const token = new URLSearchParams(address.hash.slice(1)).get('token');
  return { token, rest: `${address.pathname}${address.search}${token === null ? address.hash : ''}` };
}

type Session = { kind: 'open'; token: string } | { kind: 'refused'; why: string };

/** An agent that has not answered by then does not. */
const ANSWER_MS = 10_000;

/**
 * The token of this tab's session. A cookie would go to every program that serves a page on this machine: cookies know no ports
 * (RFC 6265, 8.5).
 */
export const keptSession = keptInTab('edge-agent-session');

/** Exchanges the token of a link, which is good once and for two minutes, for one of a session. */
export async function openSession(linkToken: string): Promise<Session> {
  try {
    const response = await fetch('/session', {
      method: 'POST',
      signal: AbortSignal.timeout(ANSWER_MS),
      headers: { authorization: `Bearer ${linkToken}` },
    });
    const answer = (await response.json()) as { token?: unknown; error?: unknown };
    if (response.ok && typeof answer.token === 'string') return { kind: 'open', token: answer.token };
    return { kind: 'refused', why: typeof answer.error === 'string' ? answer.error : response.statusText };
  } catch (error) {
    return { kind: 'refused', why: `The agent does not answer (${String(error)})` };
  }
}
