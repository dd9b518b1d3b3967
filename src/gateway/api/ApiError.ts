import type { z } from 'zod';
import type { ApiErrorBody } from '../../model/gatewayApi.js';
import { fieldErrors, mistakesIn } from '../../system/plainIssues.js';

type ErrorType = ApiErrorBody['error']['type'];

/** The HTTP status of each type of error. */
const STATUS: Readonly<Record<ErrorType, number>> = {
  invalid_request: 400,
  authentication: 401,
  permission: 403,
  not_found: 404,
  conflict: 409,
  rate_limit: 429,
  unavailable: 503,
  internal: 500,
};

interface ErrorDetails {
  /** The field or parameter at fault. */
  readonly field?: string | undefined;
  readonly retryAfterSeconds?: number;
  /** A status other than that of the type. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that is no success. `message` is for a person; it holds no secret. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly type: ErrorType,
    readonly code: string,
    message: string,
    private readonly details: ErrorDetails = {},
  ) {
    super(message);
  }

  get status(): number {
    return this.details.status ?? STATUS[this.type];
  }

  get headers(): Readonly<Record<string, string>> {
    const { retryAfterSeconds, headers = {} } = this.details;
    return retryAfterSeconds === undefined
      ? headers
      : { ...headers, 'Retry-After': String(retryAfterSeconds) };
  }

  get body(): ApiErrorBody {
    const { type, code, message } = this;
    const { field } = this.details;
    return { error: { type, code, message, ...(field === undefined ? {} : { field }) } };
  }
}

/** What is wrong with a body or a query; `field` is the first at fault. */
export function invalidRequest(error: z.ZodError): ApiError {
  const [first] = mistakesIn(error);
  const field = first?.path.join('.') || undefined;
  return new ApiError('invalid_request', 'invalid_request', fieldErrors(error).join('; '), { field });
}
