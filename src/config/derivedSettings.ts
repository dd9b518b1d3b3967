import { normaliseBase, parseBackendUrl } from './backendUrls.js';

/** The value of an unset setting, derived from another one. */
interface Derivation {
  readonly from: string;
  /** Undefined if it cannot be derived. */
  readonly derive: (value: unknown) => string | undefined;
}

/** An agent's id as it is made for a phone or an e-mail address (protocol §1). */
const ID_OF_ACCOUNT = /^edge_(?:(\d+)|(.+@.+))$/;

/** The first that has a value is used. So an `.env` with an id, a secret and the address of the socket is enough. */
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
