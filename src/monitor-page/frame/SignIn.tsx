import { useEffect, useRef, useState } from 'preact/hooks';
import { Code } from '../pieces/Code.js';
import { Mark } from './Mark.js';

/** For who comes without a token, or with one that is no good (any more): how to get in. */
export function SignIn({ why, onToken }: { why: string | null; onToken: (token: string) => void }) {
  const [token, setToken] = useState('');
  const field = useRef<HTMLInputElement>(null);
  // After a refusal the user can retry immediately, also by keyboard.
  useEffect(() => {
    if (why !== null) field.current?.focus();
  }, [why]);
  const submit = (event: Event) => {
    event.preventDefault();
    if (token.trim() !== '') onToken(token.trim());
  };
  return (
    <main class="gate">
      <section class="card gate-card">
        <Mark />
        <h1>{why === null ? 'This page needs a token' : 'The token was refused'}</h1>
        {why !== null && (
          <p class="notice bad" role="alert">
            {why}.
          </p>
        )}
        <p>To open the page with a new token, run this on the machine of the agent:</p>
        <Code text="edge-agent monitor open" />
        <p class="soft">
          The session lasts until you close this tab or sign out, and 12 hours at most. Through a tunnel,
          paste what <code>edge-agent monitor token</code> prints:
        </p>
        <form onSubmit={submit} class="row">
          <label class="grow">
            <span class="label">Token</span>
            <input
              ref={field}
              type="password"
              autocomplete="off"
              spellcheck={false}
              value={token}
              onInput={(event) => setToken(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="primary" disabled={token.trim() === ''}>
            Open
          </button>
        </form>
      </section>
    </main>
  );
}
