/** Settings on their way to agents that have no socket: merged, and handed out with the next sync, once. */
export class ConfigUpdates {
  private readonly waiting = new Map<string, Record<string, unknown>>();

  add(agentId: string, settings: Readonly<Record<string, unknown>>): void {
    this.waiting.set(agentId, { ...this.waiting.get(agentId), ...settings });
  }

  /** The protocol has no ack for settings, so they are gone once they were put into a reply. */
  take(agentId: string): Record<string, unknown> | undefined {
    const settings = this.waiting.get(agentId);
    this.waiting.delete(agentId);
    return settings;
  }
}
