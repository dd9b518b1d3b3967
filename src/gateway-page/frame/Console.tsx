import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { GatewayEvent } from '../../model/gatewayEvents.js';
import { Mark } from '../../monitor-page/frame/Mark.js';
import { Toasts } from '../../monitor-page/frame/Toasts.js';
import { TextsSwitch } from '../../monitor-page/pieces/TextsSwitch.js';
import { useToasts } from '../../monitor-page/useToasts.js';
import { Events } from '../events/Events.js';
import { Agent } from '../fleet/Agent.js';
import { Fleet } from '../fleet/Fleet.js';
import type { GatewayApi } from '../GatewayApi.js';
import { ConsoleContext, type GatewayConsole } from '../gatewayConsole.js';
import { LiveEvents, type LiveState } from '../LiveEvents.js';
import { Messages } from '../messages/Messages.js';
import { type ConsoleRoute, useConsoleRoute } from '../route.js';
import { Webhooks } from '../webhooks/Webhooks.js';
import { LiveBanner } from './LiveBanner.js';
import { ConsoleNavigation, VIEW_TITLES } from './Navigation.js';

/** So many events are kept to be looked at. */
const MOST_EVENTS = 300;

/** The signed-in page: the header, the navigation, one view, and temporary notices. */
export function Console({ api, onLeave }: { api: GatewayApi; onLeave: () => void }) {
  const route = useConsoleRoute();
  const { toasts, notify, dismiss } = useToasts();
  const [reveals, setReveals] = useState(false);
  const [live, setLive] = useState<LiveState>({ name: 'connecting' });
  const [events, setEvents] = useState<readonly GatewayEvent[]>([]);
  const listeners = useRef(new Set<(event: GatewayEvent) => void>());
  const [stream, setStream] = useState<LiveEvents>();
  useEffect(() => {
    const opened = new LiveEvents(api, {
      onState: setLive,
      onEvent: (event) => {
        setEvents((before) => [event, ...before].slice(0, MOST_EVENTS));
        for (const listener of listeners.current) listener(event);
      },
    });
    setStream(opened);
    return () => opened.close();
  }, [api]);
  const title = VIEW_TITLES[route.view];
  useEffect(() => {
    document.title = `${live.name === 'lost' ? 'Disconnected · ' : ''}${title} · Gateway`;
  }, [title, live.name]);
  const onEvent = useCallback((listener: (event: GatewayEvent) => void) => {
    listeners.current.add(listener);
    return () => void listeners.current.delete(listener);
  }, []);
  const context = useMemo<GatewayConsole>(
    () => ({ api, reveals, events, notify, onEvent }),
    [api, reveals, events, notify, onEvent],
  );
  return (
    <ConsoleContext.Provider value={context}>
      <button type="button" class="skip" onClick={() => document.getElementById('content')?.focus()}>
        Skip to the content
      </button>
      <header class="head">
        <div class="brand">
          <Mark />
          <h1>Gateway</h1>
        </div>
        <p class="state" />
        <div class="tools">
          <TextsSwitch reveals={reveals} onReveal={setReveals} />
          <button type="button" onClick={onLeave}>
            Sign out
          </button>
        </div>
      </header>
      <LiveBanner live={live} onRetry={() => stream?.retry()} />
      <div class="frame">
        <ConsoleNavigation view={route.view} />
        <main id="content" tabIndex={-1}>
          <View route={route} />
        </main>
      </div>
      <Toasts toasts={toasts} onDismiss={dismiss} />
    </ConsoleContext.Provider>
  );
}

function View({ route: { view, at } }: { route: ConsoleRoute }) {
  useEffect(() => scrollTo(0, 0), [view]);
  switch (view) {
    case 'fleet':
      return at[0] === undefined ? <Fleet /> : <Agent key={at[0]} id={at[0]} />;
    case 'messages':
      return <Messages agent={at[0]} id={at[1]} />;
    case 'webhooks':
      return <Webhooks at={at[0]} />;
    case 'events':
      return <Events />;
  }
}
