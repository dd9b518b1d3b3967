import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from './errorCodes.js';
import { VITAL_SIGNS, type VitalSignName } from './vitalSignNames.js';

const names = Object.keys(VITAL_SIGNS) as [VitalSignName, ...VitalSignName[]];

const sign = z.object({
  /** `not_yet_known`: nothing was seen that would show either. */
  state: z.enum(['ok', 'failing', 'not_yet_known']),
  evidence: z.string().describe('The evidence; if the state is not yet known, what would show it.'),
  evidence_at: z.iso
    .datetime()
    .nullable()
    .describe('The time of the evidence; for a failing sign, since when.'),
  codes: z
    .array(z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]))
    .describe('The problems that make it fail.'),
});

export const vitalSignsSchema = z.record(z.enum(names), sign);

/** Each vital sign with its evidence. Times are ISO 8601. */
export type VitalSigns = z.infer<typeof vitalSignsSchema>;

/** Posts of messages in a row without an answer. Times are Unix ms. */
export interface PostFailures {
  readonly since: number;
  readonly lastAt: number;
  readonly posts: number;
  readonly conversations: number;
  readonly detail: string;
  /** The last one was refused permanently. */
  readonly isRejected: boolean;
  /** The backend took the last one and gave no usable answer. */
  readonly isTaken: boolean;
}

/** Texts in a row that were not sent, or of which that is not known. Times are Unix ms. */
export interface SendFailures {
  readonly since: number;
  readonly lastAt: number;
  readonly texts: number;
  readonly unknown: number;
  readonly conversations: number;
  readonly detail: string;
}
