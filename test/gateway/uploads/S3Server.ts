import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sign } from 'aws4';
import type { TestContext } from 'vitest';
import type { S3Place } from '../../../src/gateway/uploads/S3Uploads.js';

const CREDENTIALS = { accessKeyId: 'AKIATEST', secretAccessKey: 'a secret / of S3' };
const REGION = 'eu-central-1';
const BUCKET = 'texts';

/** Answers instead of the store; true: it did. */
type Fault = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * A server that speaks like S3, as far as uploads go: it verifies signatures by a library that the gateway does not use, and the SHA-256
 * of what it gets, before it keeps anything.
 */
export class S3Server {
  /** By the path of each, with the bucket. */
  readonly objects = new Map<string, Buffer>();
  /** `PUT /bucket/key`, as they came. */
  readonly asked: string[] = [];
  fault: Fault = () => false;
  private readonly server = createServer((request, response) => void this.serve(request, response));

  static async start({ onTestFinished }: Pick<TestContext, 'onTestFinished'>): Promise<S3Server> {
    const s3 = new S3Server();
    await s3.open(0);
    onTestFinished(() => s3.close());
    return s3;
  }

  get place(): S3Place & { kind: 's3' } {
    const { port } = this.server.address() as AddressInfo;
    return {
      kind: 's3',
      bucket: BUCKET,
      prefix: 'photos of/ann+bob/',
      endpoint: `http://127.0.0.1:${port}`,
      region: REGION,
      ...CREDENTIALS,
      sessionToken: undefined,
    };
  }

  /** What is kept under a name that the store of uploads gave. */
  bytesOf(name: string): Buffer | undefined {
    return this.objects.get(`/${BUCKET}/${this.place.prefix}${name}`);
  }

  open(port: number): Promise<void> {
    return new Promise((resolve) => this.server.listen(port, '127.0.0.1', resolve));
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const path = decodeURIComponent(request.url ?? '');
    this.asked.push(`${request.method} ${path}`);
    if (this.fault(request, response)) return;
    const wrong = (status: number, code: string) =>
      response.writeHead(status).end(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
    if (!isGenuine(request)) wrong(403, 'SignatureDoesNotMatch');
    else if (request.headers['x-amz-content-sha256'] !== createHash('sha256').update(body).digest('hex'))
      wrong(400, 'XAmzContentSHA256Mismatch');
    else if (!path.startsWith(`/${BUCKET}/`)) wrong(404, 'NoSuchBucket');
    else if (request.method === 'GET') {
      const object = this.objects.get(path);
      if (object === undefined) wrong(404, 'NoSuchKey');
      else response.writeHead(200).end(object);
    } else if (request.method === 'DELETE') {
      this.objects.delete(path);
      response.writeHead(204).end();
    } else {
      this.objects.set(path, body);
      response.writeHead(200, { ETag: '"1"' }).end();
    }
  }
}

/** Signs the request again, with the key that it names, and compares. */
function isGenuine({ method, url, headers }: IncomingMessage): boolean {
  const { authorization = '', host } = headers;
  const [, names = ''] = /SignedHeaders=([^,]+)/.exec(authorization) ?? [];
  const signed = names.split(';').filter((name) => name !== 'host');
  const again = sign(
    {
      method: method ?? '',
      host: host ?? '',
      path: url ?? '',
      service: 's3',
      region: REGION,
      headers: Object.fromEntries(signed.map((name) => [name, String(headers[name])])),
    },
    CREDENTIALS,
  );
  const spaceless = (text: unknown) => String(text).replaceAll(', ', ',');
  return spaceless(again.headers?.Authorization) === spaceless(authorization);
}
