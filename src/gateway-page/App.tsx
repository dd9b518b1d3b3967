import { useMemo, useState } from 'preact/hooks';
import { keptInTab } from '../monitor-page/keptInTab.js';
import { Console } from './frame/Console.js';
import { SignIn } from './frame/SignIn.js';
import { GatewayApi } from './GatewayApi.js';

const keptKey = keptInTab('edge-agent-gateway-key');

/** The page: signed in if a key was entered in this tab; otherwise it asks for one. */
export function App() {
  const [key, setKey] = useState(keptKey.get());
  const [why, setWhy] = useState<string | null>(null);
  const leave = (reason: string | null) => {
    keptKey.forget();
    setWhy(reason);
    setKey(null);
  };
  const enter = (given: string) => {
    keptKey.keep(given);
    setKey(given);
  };
  const api = useMemo(() => (key === null ? undefined : new GatewayApi(key, leave)), [key]);
  return api === undefined ? (
    <SignIn why={why} onKey={enter} />
  ) : (
    <Console api={api} onLeave={() => leave(null)} />
  );
}
