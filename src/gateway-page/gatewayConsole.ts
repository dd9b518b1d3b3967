import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { GatewayEvent } from '../model/gatewayEvents.js';
import { mask } from '../monitor-page/mask.js';
import type { useToasts } from '../monitor-page/useToasts.js';
import type { GatewayApi } from './GatewayApi.js';

/** What every part of the page has at hand. */
export interface GatewayConsole {
  readonly api: GatewayApi;
  /** Texts are shown, and people whole. */
  readonly reveals: boolean;
  /** The newest events since the page was opened, the newest first. */
  readonly events: readonly GatewayEvent[];
  readonly notify: ReturnType<typeof useToasts>['notify'];
  /** Calls back at each event. */
  readonly onEvent: (listener: (event: GatewayEvent) => void) => () => void;
}

export const ConsoleContext = createContext<GatewayConsole | undefined>(undefined);

export function useConsole(): GatewayConsole {
  const found = useContext(ConsoleContext);
  if (found === undefined) throw new Error('This part of the page is outside a session.');
  return found;
}

/** A person or an agent as it is shown: masked unless people are to be shown. */
export function useNames(): (handle: string) => string {
  const { reveals } = useConsole();
  return (handle) => (reveals ? handle : mask(handle));
}
