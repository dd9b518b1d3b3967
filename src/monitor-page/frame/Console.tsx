import { useCallback, useEffect, useState } from 'preact/hooks';
import type { MonitorClient } from '../../monitor-client/index.js';
import { MonitorError } from '../../monitor-client/index.js';
import { useMonitor } from '../hooks.js';
import { type Operator, OperatorContext } from '../operator.js';
import { usePeople } from '../usePeople.js';
import { useRoute } from '../useRoute.js';
import { useToasts } from '../useToasts.js';
import { ConnectionBanner } from './ConnectionBanner.js';
import { Header } from './Header.js';
import { Navigation, TITLES } from './Navigation.js';
import { Toasts } from './Toasts.js';
import { showTabSign, tabSign } from './tabSign.js';
import { usePresence } from './usePresence.js';
import { View } from './View.js';

/** The signed-in page: the header, the navigation, one view, and temporary notices. */
export function Console({
  client,
  onEnd,
}: {
  client: MonitorClient;
  /** The session is over; `why` is null where the operator wished it. */
  onEnd: (why: string | null) => void;
}) {
  const monitor = useMonitor(client);
  const route = useRoute();
  const { toasts, notify, dismiss } = useToasts();
  const [reveals, setReveals] = useState(false);
  const presence = usePresence(client);
  const people = usePeople(client, reveals);
  const { connection } = monitor;
  useEffect(() => {
    if (connection.name === 'refused') onEnd(connection.why);
  }, [connection]);
  const sign = tabSign(TITLES[route.view], monitor);
  useEffect(() => showTabSign(sign), [sign.words, sign.icon]);
  const newest = monitor.notifications.at(-1);
  useEffect(() => {
    // The answer already shows what this operator did.
    const own = connection.name === 'online' ? connection.userId : undefined;
    if (newest !== undefined && (newest.by === undefined || newest.by !== own))
      notify(newest.level, newest.message);
  }, [newest?.id]);
  const act: Operator['act'] = useCallback(
    async (verb, args) => {
      try {
        return await client.request(verb, args);
      } catch (error) {
        if (!(error instanceof MonitorError)) throw error;
        notify('error', `${error.message} ${error.remedy}`.trim());
        return undefined;
      }
    },
    [client],
  );
  return (
    <OperatorContext.Provider
      value={{ client, monitor, reveals, people, notify, act, leave: () => onEnd(null) }}
    >
      <button type="button" class="skip" onClick={() => document.getElementById('content')?.focus()}>
        Skip to the content
      </button>
      <Header reveals={reveals} onReveal={setReveals} />
      <ConnectionBanner connection={connection} onRetry={() => client.connect()} />
      <div class="frame">
        <Navigation view={route.view} />
        <main
          id="content"
          tabIndex={-1}
          class={monitor.isConnected || monitor.snapshot === null ? '' : 'stale'}
        >
          <View route={route} presence={presence} />
        </main>
      </div>
      <Toasts
        toasts={toasts.map((toast) => ({ ...toast, message: people.named(toast.message) }))}
        onDismiss={dismiss}
      />
    </OperatorContext.Provider>
  );
}
