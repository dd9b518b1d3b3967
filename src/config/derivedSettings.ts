import { normaliseBase, parseBackendUrl } from './backendUrls.js';

/** What a setting is when nobody gave it, by the value of another one. */
interface Derivation {
  readonly from: string;
  /** Undefined where the other one does not tell. */
  readonly derive: (value: unknown) => string | undefined;
}

/** An agent's id as it is made for a phone (protocol §1). */
const ID_OF_PHONE = /^edge_(\d+)$/;

/** So that an `.env` with an id, a secret and the address of the socket is enough. */
export const DERIVED_SETTINGS: Readonly<Record<string, Derivation>> = {
  'edge.user_phone': {
    from: 'edge.agent_id',
    derive: (id) => {
      const digits = typeof id === 'string' ? ID_OF_PHONE.exec(id)?.[1] : undefined;
      return digits === undefined ? undefined : `+${digits}`;
    },
  },
  'backend.url': {
    from: 'backend.websocket_url',
    derive: (url) =>
      typeof url === 'string' && parseBackendUrl(url).kind === 'usable' ? normaliseBase(url) : undefined,
  },
};
