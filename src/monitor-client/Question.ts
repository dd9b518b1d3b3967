import type { Topic } from '../model/clientFrames.js';
import type { MonitorApi, MonitorVerb } from '../model/operatorApi.js';
import type { ClientTimer } from './clock.js';
import type { MonitorClient } from './MonitorClient.js';
import { MonitorError } from './OpenRequests.js';

/** What is known of an answer. `failed` keeps the value of before, where there is one. */
export type Answer<T> =
  | { state: 'loading' }
  | { state: 'ready'; value: T }
  | { state: 'failed'; error: MonitorError; value?: T };

/** When to request again: at events of these topics, or when a text was received or sent. */
export type Occasion = Topic | 'chat_message';

/** Between two askings, however much happens. */
const CALM_MS = 1_000;

/** A request that is kept up to date: asked at each connect, and again when what it is about has changed. */
export class Question<V extends MonitorVerb> {
  private readonly endings: (() => void)[];
  private answer: Answer<MonitorApi[V]['result']> = { state: 'loading' };
  private count = 0;
  private timer: ClientTimer | undefined;
  private isDue = false;
  private hasStopped = false;

  constructor(
    private readonly client: MonitorClient,
    private readonly verb: V,
    private readonly args: MonitorApi[V]['args'],
    occasions: readonly Occasion[],
    private readonly onAnswer: (answer: Answer<MonitorApi[V]['result']>) => void,
  ) {
    this.endings = [
      client.on('state', ({ name }) => name === 'online' && this.ask()),
      client.on('event', ({ topic }) => occasions.includes(topic) && this.askSoon()),
      client.on('chat_message', () => occasions.includes('chat_message') && this.askSoon()),
    ];
    if (client.state.name === 'online') this.ask();
  }

  /** Asks now; never after `stop`. */
  ask(): void {
    if (this.hasStopped) return;
    this.timer?.cancel();
    this.isDue = false;
    this.timer = this.client.clock.after(CALM_MS, () => {
      this.timer = undefined;
      if (this.isDue) this.ask();
    });
    this.count += 1;
    void this.answered(this.count);
  }

  stop(): void {
    this.hasStopped = true;
    this.timer?.cancel();
    for (const end of this.endings) end();
  }

  private askSoon(): void {
    if (this.timer === undefined) this.ask();
    else this.isDue = true;
  }

  private async answered(count: number): Promise<void> {
    try {
      const value = await this.client.request(this.verb, this.args);
      if (count === this.count) this.become({ state: 'ready', value });
    } catch (error) {
      // The client's state reports a lost connection; the request is repeated at the next one.
      if (!(error instanceof MonitorError)) throw error;
      if (error.code === 'disconnected' || count !== this.count) return;
      // An agent that has other work is asked again; meanwhile what was known before does.
      const isBusy = error.code === 'monitor_busy';
      if (isBusy) this.askSoon();
      if (!isBusy || this.answer.state !== 'ready') this.failed(error);
    }
  }

  private failed(error: MonitorError): void {
    const value = 'value' in this.answer ? { value: this.answer.value } : {};
    this.become({ state: 'failed', error, ...value } as Answer<MonitorApi[V]['result']>);
  }

  private become(answer: Answer<MonitorApi[V]['result']>): void {
    if (this.hasStopped) return;
    this.answer = answer;
    this.onAnswer(answer);
  }
}
