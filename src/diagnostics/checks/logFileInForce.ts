import type { OperatorRequest, OperatorResult } from '../../model/operatorApi.js';
import type { DaemonAnswer } from '../../operator/askDaemon.js';

/**
 * Where the running agent writes its log: a change of `logging.file` takes effect only after a restart. Undefined: not
 * known, and the configured file is used.
 */
export async function logFileInForce(
  ask: (request: OperatorRequest<'config'>) => Promise<DaemonAnswer<OperatorResult<'config'>>>,
): Promise<string | undefined> {
  const answer = await ask({ verb: 'config' });
  if (answer.kind !== 'answered') return undefined;
  const file = answer.result.find(({ key }) => key === 'logging.file')?.value;
  return typeof file === 'string' ? file : undefined;
}
