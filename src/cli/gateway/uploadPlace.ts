import { join } from 'node:path';
import { EdgeError } from '../../errors.js';
import type { UploadPlace } from '../../gateway/gatewaySettings.js';
import type { GatewayPlace } from './gatewayPlace.js';

const S3 = 's3://';
/** What S3 takes as the name of a bucket. */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const USUAL_REGION = 'us-east-1';

/**
 * Where files from agents are stored: next to the data, in the directory that `--uploads` names, or in its
 * `s3://bucket/prefix`, with the usual S3 variables. Throws EdgeError `config_invalid`, or `secret_missing` without
 * credentials.
 */
export function uploadPlace(
  typed: string | undefined,
  data: GatewayPlace,
  env: NodeJS.ProcessEnv,
): UploadPlace {
  if (typed === undefined) {
    const path = data.kind === 'sqlite' ? `${data.path}.uploads` : join(process.cwd(), 'gateway.uploads');
    return { kind: 'directory', path };
  }
  if (!typed.startsWith(S3)) return { kind: 'directory', path: typed };
  const [bucket = '', ...folders] = typed.slice(S3.length).split('/');
  if (!BUCKET.test(bucket))
    throw new EdgeError(
      'config_invalid',
      `--uploads ${typed}: "${bucket}" cannot be a bucket.`,
      'Write s3://bucket or s3://bucket/prefix.',
    );
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN } = env;
  if (!accessKeyId || !secretAccessKey)
    throw new EdgeError(
      'secret_missing',
      `--uploads ${typed}: there are no credentials.`,
      'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment of the gateway.',
    );
  const prefix = folders.filter((folder) => folder !== '').join('/');
  return {
    kind: 's3',
    bucket,
    prefix: prefix === '' ? '' : `${prefix}/`,
    endpoint: endpointOf(env),
    region: env.AWS_REGION || env.AWS_DEFAULT_REGION || USUAL_REGION,
    accessKeyId,
    secretAccessKey,
    sessionToken: AWS_SESSION_TOKEN || undefined,
  };
}

function endpointOf({ AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL }: NodeJS.ProcessEnv): string | undefined {
  const given = AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL || undefined;
  if (given === undefined) return undefined;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.search === '' && url.username === '')
    return url.href;
  throw new EdgeError(
    'config_invalid',
    'AWS_ENDPOINT_URL_S3 is no URL of a server.',
    'Write one such as https://s3.example.com.',
  );
}
