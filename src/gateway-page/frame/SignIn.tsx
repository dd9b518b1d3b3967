import { useEffect, useRef, useState } from 'preact/hooks';
import { Mark } from '../../monitor-page/frame/Mark.js';
import { Code } from '../../monitor-page/pieces/Code.js';
import { ApiFault, GatewayApi } from '../GatewayApi.js';

/** For who comes without a key, or with one that counts no more: how to get in. */
export function SignIn({ why, onKey }: { why: string | null; onKey: (key: string) => void }) {
  const [key, setKey] = useState('');
  const [refused, setRefused] = useState(why);
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  // Who was refused is to try again at once, by keyboard too.
  useEffect(() => field.current?.focus(), [refused]);
  const submit = async (event: Event) => {
    event.preventDefault();
    const given = key.trim();
    if (given === '' || busy) return;
    setBusy(true);
    try {
      await new GatewayApi(given, () => undefined).get('v1/agents?limit=1');
      onKey(given);
    } catch (error) {
      if (!(error instanceof ApiFault)) throw error;
      setRefused(error.message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="gate">
      <section class="card gate-card">
        <Mark />
        <h1>The gateway’s console</h1>
        {refused !== null && (
          <p class="notice bad" role="alert">
            {refused}
          </p>
        )}
        <form onSubmit={(event) => void submit(event)} class="row">
          <label class="grow">
            <span class="label">Admin key</span>
            <input
              ref={field}
              type="password"
              autocomplete="off"
              spellcheck={false}
              placeholder="eg_live_…"
              value={key}
              onInput={(event) => setKey(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="primary" disabled={key.trim() === '' || busy}>
            Open
          </button>
        </form>
        <p class="soft">To make one, run this on the machine of the gateway:</p>
        <Code text="edge-agent gateway keys add console --scope admin" />
        <p class="soft">The key stays in this tab until you close it or sign out.</p>
      </section>
    </main>
  );
}
