import type { Commands } from '../commands/Commands.js';
import { EdgeError } from '../errors.js';
import type { Answers, CommandDetail, OperatorApi } from '../model/operatorApi.js';
import type { Store } from '../store/Store.js';
import { freshId } from '../system/random.js';
import { commandDetail } from './commandVerbs.js';
import type { NamedConversation } from './namedConversation.js';
import type { Names } from './names.js';

/**
 * Sends a text or a file for the operator: as an operator command, so that it is stored, ordered, sent once and
 * confirmed like any other, and can be shown by its id. The backend gets no ack of it, but the events of the sent text.
 * `file.path` must be a copy made by the command line. A conversation for which `meant` throws is not stored.
 */
export function sendVerb(
  store: Store,
  names: Names,
  commands: Commands,
  meant: (written: string) => NamedConversation,
): Answers<Pick<OperatorApi, 'send'>> {
  return {
    send({ to, text, at, file }): CommandDetail {
      if (typeof to !== 'string' || to.trim() === '') {
        throw new EdgeError(
          'invalid_payload',
          'There is no recipient.',
          'Name the conversation as +13105551234, jane@example.com or chat831045551234.',
        );
      }
      meant(to);
      const commandId = freshId('operator');
      const payload = {
        thread_id: to,
        text,
        ...(at === undefined ? {} : { send_at: at }),
        ...(file === undefined ? {} : { attachments: [file] }),
      };
      const command = {
        commandId,
        commandType: 'send_message',
        payload,
        priority: 'high',
        timestamp: null,
        fault: null,
      } as const;
      commands.receive([command], 'operator');
      const detail = commandDetail(store, names, commandId);
      if (detail === undefined) throw new EdgeError('internal', 'The command is gone after it was stored.');
      return detail;
    },
  };
}
