import { createHash } from 'node:crypto';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { AwsV4Signer } from 'aws4fetch';
import { describeError, EdgeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import type { Clock } from '../../system/clock.js';
import type { Outbound } from '../../system/Outbound.js';
import { type UploadStore, uploadName } from './UploadStore.js';

/** For one request, with its whole body. An agent waits for 60 s. */
const TIMEOUT_MS = 30_000;
/** So much of an answer that says no is read. */
const MOST_CHARACTERS = 16 * 1024;
/** Is written and removed at the start, to see whether it may be. */
const PROBE = '.edge-agent-probe';

const NOTHING = Buffer.alloc(0);

/** A bucket, who writes there, and in which part of it. */
export interface S3Place {
  readonly bucket: string;
  /** What the names of objects begin with: empty, or with a slash at its end. */
  readonly prefix: string;
  /** Where its server is, for all that is not Amazon's; undefined: Amazon's server of the region. */
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

interface S3Surroundings {
  readonly clock: Clock;
  readonly outbound: Outbound;
  readonly log: Logger;
  readonly timeoutMs?: number;
}

/**
 * The bytes of uploaded files as objects in a bucket. An upload that was answered with 200 is durable: S3 answers after
 * it has stored it, and it verifies the signed SHA-256. Nothing is retried here: the agent uploads it again.
 */
export class S3Uploads implements UploadStore {
  constructor(
    private readonly place: S3Place,
    private readonly surroundings: S3Surroundings,
  ) {}

  /** Checks whether objects can be written. If not, the gateway still starts, because everything else works. */
  async prepare(): Promise<void> {
    try {
      await this.ask('PUT', PROBE, Buffer.alloc(0));
      await this.remove(PROBE);
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error;
      this.surroundings.log.error(`${error.message} ${error.remedy}`);
    }
  }

  async keep(agentId: string, guid: string, bytes: Buffer): Promise<string> {
    const name = uploadName(agentId, guid);
    await this.ask('PUT', name, bytes);
    return name;
  }

  async remove(name: string): Promise<void> {
    await this.ask('DELETE', name, NOTHING);
  }

  read(name: string): Promise<Readable | undefined> {
    return this.answered('GET', name, NOTHING, async (answer) => {
      const status = answer.statusCode ?? 0;
      if (status === 200) return answer;
      const text = await textOf(answer);
      if (isGone(status, text)) return undefined;
      throw this.refused(status, text);
    });
  }

  private ask(method: 'PUT' | 'DELETE', name: string, body: Buffer): Promise<void> {
    return this.answered(method, name, body, async (answer) => {
      const status = answer.statusCode ?? 0;
      const text = await textOf(answer);
      if (status >= 200 && status < 300) return;
      // Has gone already, which is what was asked for.
      if (method === 'DELETE' && isGone(status, text)) return;
      throw this.refused(status, text);
    });
  }

  /** What `use` makes of the answer, within the time. Rejects with EdgeError `storage_unavailable`. */
  private async answered<T>(
    method: 'GET' | 'PUT' | 'DELETE',
    name: string,
    body: Buffer,
    use: (answer: IncomingMessage) => Promise<T>,
  ): Promise<T> {
    const { accessKeyId, secretAccessKey, sessionToken, region } = this.place;
    const { clock, timeoutMs = TIMEOUT_MS } = this.surroundings;
    const signer = new AwsV4Signer({
      method,
      url: this.urlOf(name).href,
      headers: { 'X-Amz-Content-Sha256': createHash('sha256').update(body).digest('hex') },
      service: 's3',
      region,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      datetime: new Date(clock.now()).toISOString().replaceAll(/[:-]|\.\d{3}/g, ''),
    });
    const { url, headers } = await signer.sign();
    const deadline = new AbortController();
    const timer = clock.after(timeoutMs, () => deadline.abort());
    try {
      return await use(await this.send(method, url, headers, body, deadline.signal));
    } catch (cause) {
      if (cause instanceof EdgeError) throw cause;
      const why = deadline.signal.aborted
        ? `no whole answer within ${timeoutMs / 1000} s`
        : describeError(cause);
      throw this.fault(`${url.host}: ${why}`, 'Check that it is reachable from here.', cause);
    } finally {
      timer.cancel();
    }
  }

  private send(
    method: string,
    url: URL,
    headers: Headers,
    body: Buffer,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const request = url.protocol === 'https:' ? secureRequest : plainRequest;
    return new Promise((resolve, reject) => {
      const asked = request(url, {
        ...this.surroundings.outbound.once(url),
        method,
        signal,
        headers: { ...Object.fromEntries(headers), 'Content-Length': body.length },
      });
      asked.on('error', reject);
      asked.on('response', resolve);
      asked.end(body);
    });
  }

  /** A bucket of Amazon's is a host; behind an endpoint, or where a dot is in its name, it is the first part of the path. */
  private urlOf(name: string): URL {
    const { bucket, prefix, endpoint, region } = this.place;
    const key = `${prefix}${name}`.split('/').map(encodeURIComponent).join('/');
    if (endpoint !== undefined) return new URL(`${endpoint.replace(/\/+$/, '')}/${bucket}/${key}`);
    return bucket.includes('.')
      ? new URL(`https://s3.${region}.amazonaws.com/${bucket}/${key}`)
      : new URL(`https://${bucket}.s3.${region}.amazonaws.com/${key}`);
  }

  private refused(status: number, text: string): EdgeError {
    const [, code] = /<Code>([\w.]{1,100})<\/Code>/.exec(text) ?? [];
    const remedy =
      status === 401 || status === 403
        ? 'Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, what they may do (s3:PutObject, s3:GetObject, s3:DeleteObject), and the clock of this machine.'
        : 'Check the bucket, AWS_REGION and AWS_ENDPOINT_URL_S3.';
    return this.fault(`HTTP ${status}${code === undefined ? '' : ` ${code}`}`, status >= 500 ? '' : remedy);
  }

  private fault(why: string, remedy: string, cause?: unknown): EdgeError {
    const message = `Uploads cannot be kept in s3://${this.place.bucket}: ${why}.`;
    return new EdgeError('storage_unavailable', message, remedy, { cause });
  }
}

/** To its end, of which more than the beginning is not kept. */
async function textOf(answer: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of answer.setEncoding('utf8'))
    if (text.length < MOST_CHARACTERS) text += String(chunk);
  return text;
}

function isGone(status: number, text: string): boolean {
  return status === 404 && !text.includes('NoSuchBucket');
}
