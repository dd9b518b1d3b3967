import type { ApiErrorBody } from '../model/gatewayApi.js';

/** A gateway that has not answered by then does not. */
const ANSWER_MS = 15_000;

/** Why something could not be had or done, as the gateway says it. `status` 0: it did not answer. */
export class ApiFault extends Error {
  override readonly name = 'ApiFault';

  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
  ) {
    super(message);
  }
}

/** The gateway's API from the page that it serves, with the key of this tab. Every call ends, and rejects with ApiFault. */
export class GatewayApi {
  /** `onRefused`: the key counts no more. */
  constructor(
    private readonly key: string,
    private readonly onRefused: (why: string) => void,
  ) {}

  /** `T` is what the path answers by docs/gateway-api.md. */
  async get<T>(path: string): Promise<T> {
    return (await this.ask(path, {})) as T;
  }

  async post<T>(path: string, body: object = {}): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    return (await this.ask(path, { method: 'POST', headers, body: JSON.stringify(body) })) as T;
  }

  /** An answer that does not end: it is read until `signal`. */
  async stream(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    const response = await this.fetched(path, { headers, signal });
    if (!response.ok) throw await this.faultOf(response);
    return response;
  }

  private async ask(path: string, init: RequestInit): Promise<unknown> {
    const response = await this.fetched(path, { ...init, signal: AbortSignal.timeout(ANSWER_MS) });
    if (!response.ok) throw await this.faultOf(response);
    try {
      return await response.json();
    } catch (error) {
      throw new ApiFault(
        `The answer of the gateway cannot be read: ${String(error)}`,
        response.status,
        'unreadable',
      );
    }
  }

  private async fetched(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(new URL(`../${path}`, document.baseURI), {
        ...init,
        headers: { ...init.headers, authorization: `Bearer ${this.key}` },
        cache: 'no-store',
      });
    } catch (error) {
      const why = error instanceof DOMException && error.name === 'TimeoutError' ? 'within 15 s' : 'now';
      throw new ApiFault(`The gateway does not respond ${why}.`, 0, 'no_answer');
    }
  }

  private async faultOf(response: Response): Promise<ApiFault> {
    const { status, statusText } = response;
    let fault = new ApiFault(`The gateway answers ${status} ${statusText}.`, status, 'unexpected');
    try {
      const { error } = (await response.json()) as Partial<ApiErrorBody>;
      if (error !== undefined) fault = new ApiFault(error.message, status, error.code);
    } catch {
      // Not from the gateway (a proxy before it): its status says enough.
    }
    if (status === 401) this.onRefused(fault.message);
    return fault;
  }
}
