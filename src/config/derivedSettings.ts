import { normaliseBase, parseBackendUrl } from './backendUrls.js';

/** What a setting is when nobody gave it, by the value of another one. */
interface Derivation {
  readonly from: string;
  /** Undefined where the other one does not tell. */
  readonly derive: (value: unknown) => string | undefined;
}

/** An agent's id as it is made for a phone or an e-mail address (protocol §1). */
const ID_OF_ACCOUNT = /^edge_(?:(\d+)|(.+@.+))$/;

/** The first that tells counts. So an `.env` with an id, a secret and the address of the socket is enough. */
export const DERIVED_SETTINGS: Readonly<Record<string, readonly Derivation[]>> = {
  'edge.user_phone': [
    {
      from: 'edge.user_address',
      derive: (address) => (typeof address === 'string' ? address.toLowerCase() : undefined),
    },
    {
      from: 'edge.agent_id',
      derive: (id) => {
        const [, digits, address] = (typeof id === 'string' && ID_OF_ACCOUNT.exec(id)) || [];
        return digits === undefined ? address?.toLowerCase() : `+${digits}`;
      },
    },
  ],
  'backend.url': [
    {
      from: 'backend.websocket_url',
      derive: (url) =>
        typeof url === 'string' && parseBackendUrl(url).kind === 'usable' ? normaliseBase(url) : undefined,
    },
  ],
};
