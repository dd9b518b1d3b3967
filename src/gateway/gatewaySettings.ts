import type { Network } from '../system/network.js';
import type { CallerRate } from './agents/CallerRateLimit.js';
import type { S3Place } from './uploads/S3Uploads.js';

/** Where the bytes of uploaded files are: in a directory, or in a bucket of S3 or of what speaks like it. */
export type UploadPlace =
  | { readonly kind: 'directory'; readonly path: string }
  | ({ readonly kind: 's3' } & S3Place);

/** How a gateway runs. */
export interface GatewaySettings {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly storage:
    | { readonly kind: 'sqlite'; readonly path: string }
    | { readonly kind: 'postgres'; readonly url: string };
  /** 32 bytes, under which secrets are sealed in the database. */
  readonly key: Buffer;
  /** Its keys before, which still open what was sealed under them. */
  readonly keysBefore: readonly Buffer[];
  /** Where uploaded files are; several replicas share it. */
  readonly uploads: UploadPlace;
  /** What all uploaded files may come to, in bytes. */
  readonly uploadBytes: number;
  /** What an agent that is not known may register with; undefined: each is added by an operator. */
  readonly registrationToken: string | undefined;
  /** Whether an agent may send its secret itself instead of a signed token. */
  readonly plainSecrets: boolean;
  /** How many requests one caller may make; undefined: without a limit. */
  readonly rate: CallerRate | undefined;
  /** An agent that is silent for so long is dropped, in ms. */
  readonly silenceMs: number;
  /** How many sockets are closed per second when the gateway stops, so that their agents do not all come back at once. */
  readonly closesPerSecond: number;
  /** How long an application may think before an agent's request is answered with silence, in ms; less than 60 000. */
  readonly answerMs: number;
  /** Whether webhooks may be in private networks. */
  readonly allowPrivateWebhooks: boolean;
  /** How connections to webhooks leave this machine. */
  readonly network: Network;
  /** How long the gateway keeps what is over, in days. */
  readonly keepDays: number;
}
