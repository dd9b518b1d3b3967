import { useEffect, useMemo, useState } from 'preact/hooks';
import { MonitorClient } from '../monitor-client/index.js';
import { Console } from './frame/Console.js';
import { Mark } from './frame/Mark.js';
import { SignIn } from './frame/SignIn.js';
import { openSession } from './session.js';

type Stage =
  | { name: 'opening' }
  | { name: 'signedOut'; why: string | null }
  | { name: 'open'; token: string };

const TOPICS = ['link', 'commands', 'logs', 'sends', 'queues', 'schedule', 'pauses', 'problems'] as const;

/** The page: who opens it by a fresh link is in; anybody else is asked for a token. */
export function App({ linkToken }: { linkToken: string | null }) {
  const [stage, setStage] = useState<Stage>(
    linkToken === null ? { name: 'signedOut', why: null } : { name: 'opening' },
  );
  useEffect(() => {
    if (linkToken === null) return;
    void openSession(linkToken).then((session) =>
      setStage(
        session.kind === 'open'
          ? { name: 'open', token: session.token }
          : { name: 'signedOut', why: session.why },
      ),
    );
  }, [linkToken]);
  const token = stage.name === 'open' ? stage.token : undefined;
  const client = useMemo(
    () =>
      token === undefined
        ? undefined
        : new MonitorClient({ url: `ws://${location.host}/ws`, token, topics: TOPICS }),
    [token],
  );
  if (client !== undefined) {
    return <Console client={client} onRefused={(why) => setStage({ name: 'signedOut', why })} />;
  }
  if (stage.name === 'signedOut') {
    return <SignIn why={stage.why} onToken={(given) => setStage({ name: 'open', token: given })} />;
  }
  return (
    <main class="gate" aria-busy="true">
      <section class="card gate-card">
        <Mark />
        <p role="status">Opening a session…</p>
      </section>
    </main>
  );
}
