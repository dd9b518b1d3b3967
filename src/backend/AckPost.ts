import type { AckBody } from '../model/agentBodies.js';
import type { Clock } from '../system/clock.js';
import type { HttpClient } from './HttpClient.js';

/** The endpoints of one ack, in the order in which they are tried (protocol §5). */
const PATHS = ['/edge/command/ack', '/edge/ack_command'] as const;
const ABSENT: ReadonlySet<number> = new Set([404, 405, 501]);
/** A backend is asked again after an hour whether it has the endpoint. */
const ABSENT_MS = 3_600_000;

type AckPosted =
  | { readonly kind: 'read' }
  /** The backend has no endpoint for acks: they travel in syncs. */
  | { readonly kind: 'noEndpoint'; readonly again: number }
  /** This ack is refused; others may fare better. */
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'later'; readonly detail: string; readonly retryAfterMs?: number };

/** Posts single acks. Only a 2xx with a JSON body counts as read. */
export class AckPost {
  private readonly absentUntil = new Map<string, number>();

  constructor(
    private readonly http: HttpClient,
    private readonly clock: Clock,
    private readonly timeoutMs: () => number,
  ) {}

  async post(body: AckBody): Promise<AckPosted> {
    for (const path of PATHS) {
      if ((this.absentUntil.get(path) ?? 0) > this.clock.monotonic()) continue;
      const outcome = await this.http.post({ path, body, timeoutMs: this.timeoutMs() });
      if (outcome.kind === 'ok' && outcome.json !== undefined) return { kind: 'read' };
      if (outcome.kind !== 'status') {
        const detail = outcome.kind === 'ok' ? `${outcome.detail} without JSON` : outcome.detail;
        return { kind: 'later', detail };
      }
      if (ABSENT.has(outcome.status)) {
        this.absentUntil.set(path, this.clock.monotonic() + ABSENT_MS);
        continue;
      }
      if ([400, 409, 413, 415, 422].includes(outcome.status))
        return { kind: 'refused', status: outcome.status };
      return {
        kind: 'later',
        detail: outcome.detail,
        ...(outcome.retryAfterMs === undefined ? {} : { retryAfterMs: outcome.retryAfterMs }),
      };
    }
    return { kind: 'noEndpoint', again: Math.min(...PATHS.map((path) => this.absentUntil.get(path) ?? 0)) };
  }
}
