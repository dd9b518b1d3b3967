import { canonicalAddress } from '../conversationId.js';

/** The addresses that are ours, canonical; one set object for as long as nothing changes. */
export class OwnAddresses {
  private known = '';
  private addresses: ReadonlySet<string> = new Set();

  /** `sources`: the configuration's addresses, those learned from chat.db. In any form. */
  constructor(
    private readonly region: () => string,
    private readonly sources: readonly (() => readonly string[])[],
  ) {}

  all(): ReadonlySet<string> {
    const written = this.sources.flatMap((source) => source());
    const region = this.region();
    const known = `${region}\n${written.join('\n')}`;
    if (known !== this.known) {
      this.known = known;
      this.addresses = new Set(written.map((address) => canonicalAddress(address, region)).filter(Boolean));
    }
    return this.addresses;
  }
}
