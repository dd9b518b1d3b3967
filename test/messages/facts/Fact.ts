import type { AppleVersion } from '../../../src/kit/messages/appleSchema.js';
import type { FactWorld } from './FactWorld.js';

/** Something known of chat.db, and how it shows in what the agent does. */
export interface Fact {
  name: string;
  /** The first macOS of which it is one. */
  since?: AppleVersion;
  shown: (world: FactWorld) => void;
}

export const fact = (name: string, shown: Fact['shown'], since?: AppleVersion): Fact => ({
  name,
  shown,
  ...(since === undefined ? {} : { since }),
});

/** No message and no event. */
export const NOTHING = { texts: [], types: [] };
