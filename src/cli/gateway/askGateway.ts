import { existsSync } from 'node:fs';
import { EdgeError } from '../../errors.js';
import { checkKey } from '../../gateway/ledger/checkKey.js';
import { SecretBox } from '../../gateway/ledger/SecretBox.js';
import { openGatewayDatabase } from '../../gateway/openGatewayDatabase.js';
import { askSocket } from '../../operator/askDaemon.js';
import { systemClock } from '../../system/clock.js';
import { environment } from '../../system/environment.js';
import { systemRandom } from '../../system/random.js';
import { EXIT } from '../exitCodes.js';
import { complain, complainOf } from '../print.js';
import { storeLog } from '../storeLog.js';
import { type AdminGiven, type AdminResult, type AdminVerb, gatewayAdmin } from './gatewayAdmin.js';
import { gatewayKeys } from './gatewayKey.js';
import { type AdminOptions, adminSocket, type GatewayPlace, gatewayPlace } from './gatewayPlace.js';

/** A gateway that starts or stops is waited for so long, in ms. */
const PATIENCE_MS = 10_000;
const ASK_AGAIN_MS = 200;
/** Longer than the gateway waits for its database. */
const ANSWER_MS = 20_000;

/** Verbs that may make the file: those by which a gateway is set up before its first start. */
const MAY_BEGIN: ReadonlySet<AdminVerb> = new Set(['agents.add', 'keys.add', 'webhooks.add']);

/** What the gateway gave, or the exit code where it gave nothing; why is said on stderr then. */
type AdminAnswer<V extends AdminVerb> = { result: AdminResult<V> } | { exitCode: number };

/**
 * Asks a gateway one thing: the one that runs on the SQLite file, which has that to itself, by its admin socket; else the database, which
 * replicas on PostgreSQL share with us.
 */
export async function askGateway<V extends AdminVerb>(
  options: AdminOptions,
  verb: V,
  given: AdminGiven<V>,
): Promise<AdminAnswer<V>> {
  const place = gatewayPlace(options);
  const end = systemClock.monotonic() + PATIENCE_MS;
  try {
    for (;;) {
      if (place.kind === 'sqlite') {
        const answer = await askRunning(place.path, verb, given);
        if (answer !== undefined) return answer;
      }
      try {
        return { result: await askDatabase(place, verb, given) };
      } catch (error) {
        // Another process has the file: a gateway that starts or stops answers, or is gone, in a moment.
        const isInUse = error instanceof EdgeError && error.code === 'storage_in_use';
        if (!isInUse || systemClock.monotonic() >= end) throw error;
        await new Promise<void>((resolve) => systemClock.after(ASK_AGAIN_MS, resolve));
      }
    }
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return { exitCode: error.code === 'secret_missing' ? EXIT.invalidConfig : EXIT.failed };
  }
}

/** Undefined: none runs on this file. */
async function askRunning<V extends AdminVerb>(
  path: string,
  verb: V,
  given: AdminGiven<V>,
): Promise<AdminAnswer<V> | undefined> {
  const answer = await askSocket<AdminResult<V>>(adminSocket(path), { verb, ...given }, ANSWER_MS);
  if (answer.kind === 'answered') return { result: answer.result };
  if (answer.kind === 'refused') {
    complain(`edge-agent: ${answer.message}`, answer.remedy);
    return { exitCode: EXIT.failed };
  }
  if (answer.kind === 'cannotTell') {
    complain(`edge-agent: The gateway does not respond: ${answer.message}.`);
    if (answer.wasAsked) complain('It may have been done: check with list.');
    return { exitCode: EXIT.cannotTell };
  }
  if (existsSync(path) || MAY_BEGIN.has(verb)) return undefined;
  complain(
    `edge-agent: There is no gateway at ${path}.`,
    'Name its file with --data, or run one: edge-agent gateway',
  );
  return { exitCode: EXIT.notRunning };
}

async function askDatabase<V extends AdminVerb>(
  place: GatewayPlace,
  verb: V,
  given: AdminGiven<V>,
): Promise<AdminResult<V>> {
  const { GATEWAY_KEY, GATEWAY_PUBLIC_URL } = environment();
  const keys = () => gatewayKeys(place, GATEWAY_KEY);
  // Creates them with a new file; which keys they are is known once no other process has the database.
  keys();
  const database = await openGatewayDatabase(place, {
    clock: systemClock,
    random: systemRandom,
    log: storeLog,
  });
  try {
    const { key, before } = keys();
    const box = new SecretBox(key, before);
    await checkKey(database, box);
    const verbs = gatewayAdmin({
      database,
      box,
      keys,
      clock: systemClock,
      publicUrl: GATEWAY_PUBLIC_URL || null,
      localUrl: null,
      allowPrivateWebhooks: undefined,
    });
    return await verbs[verb](given);
  } finally {
    await database.close();
  }
}
