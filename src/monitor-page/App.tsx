import { useEffect, useMemo, useState } from 'preact/hooks';
import { MonitorClient } from '../monitor-client/index.js';
import { Console } from './frame/Console.js';
import { Mark } from './frame/Mark.js';
import { SignIn } from './frame/SignIn.js';
import { showTabSign } from './frame/tabSign.js';
import { keptSession, openSession } from './session.js';

type Stage =
  | { name: 'opening' }
  | { name: 'signedOut'; why: string | null }
  | { name: 'open'; token: string };

const TOPICS = [
  'link',
  'commands',
  'logs',
  'sends',
  'queues',
  'schedule',
  'pauses',
  'problems',
  'doctor',
] as const;

/** The page: signed in by a fresh link or a session in this tab; otherwise it asks for a token. */
export function App({ linkToken }: { linkToken: string | null }) {
  const [stage, setStage] = useState<Stage>(() => {
    if (linkToken !== null) return { name: 'opening' };
    const token = keptSession.get();
    return token === null ? { name: 'signedOut', why: null } : { name: 'open', token };
  });
  const enter = (token: string) => {
    keptSession.keep(token);
    setStage({ name: 'open', token });
  };
  const leave = (why: string | null) => {
    keptSession.forget();
    setStage({ name: 'signedOut', why });
  };
  useEffect(() => {
    if (linkToken === null) return;
    void openSession(linkToken).then((session) =>
      session.kind === 'open' ? enter(session.token) : setStage({ name: 'signedOut', why: session.why }),
    );
  }, [linkToken]);
  useEffect(() => {
    if (stage.name !== 'open') showTabSign({ words: 'edge-agent', icon: 'away' });
  }, [stage.name]);
  const token = stage.name === 'open' ? stage.token : undefined;
  const client = useMemo(
    () =>
      token === undefined
        ? undefined
        : new MonitorClient({ url: `ws://${location.host}/ws`, token, topics: TOPICS }),
    [token],
  );
  if (client !== undefined) return <Console client={client} onEnd={leave} />;
  if (stage.name === 'signedOut') return <SignIn why={stage.why} onToken={enter} />;
  return (
    <main class="gate" aria-busy="true">
      <section class="card gate-card">
        <Mark />
        <p role="status">Opening a session…</p>
      </section>
    </main>
  );
}
