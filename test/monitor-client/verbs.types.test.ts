import { expectTypeOf, test } from 'vitest';
import type { SettingInForce } from '../../src/daemon/LiveConfig.js';
import type { Report } from '../../src/diagnostics/checks/runChecks.js';
import type { ServerFrame } from '../../src/monitor/monitorFrames.js';
import type { ServerFrames, Status, Topic, Verbs } from '../../src/monitor-client/index.js';
import type { CommandDetail, CommandEntry } from '../../src/operator/commandVerbs.js';
import type { ConversationEntry } from '../../src/operator/conversationsVerb.js';
import type { PauseAnswer, ResumeAnswer } from '../../src/operator/pauseVerbs.js';
import type { QueueEntry } from '../../src/operator/queueVerbs.js';
import type { CancelAnswer, ScheduleEntry } from '../../src/operator/scheduleVerbs.js';
import type { sendStatistics } from '../../src/operator/sendStatistics.js';
import type { StatusSnapshot } from '../../src/operator/snapshot.js';

type Said<Type extends ServerFrame['type']> =
  Extract<ServerFrame, { type: Type }> extends { data: infer Data } ? Data : undefined;

/** The client imports nothing of the agent: here the compiler holds the two together. */
test('what the agent answers is what the client’s types promise', () => {
  expectTypeOf<StatusSnapshot>().toExtend<Status>();
  expectTypeOf<CommandEntry[]>().toExtend<Verbs['commands.list']['result']>();
  expectTypeOf<CommandDetail>().toExtend<Verbs['commands.show']['result']>();
  expectTypeOf<ScheduleEntry[]>().toExtend<Verbs['schedule.list']['result']>();
  expectTypeOf<CancelAnswer>().toExtend<Verbs['schedule.cancel']['result']>();
  expectTypeOf<QueueEntry[]>().toExtend<Verbs['queue.list']['result']>();
  expectTypeOf<PauseAnswer>().toExtend<Verbs['pause']['result']>();
  expectTypeOf<ResumeAnswer>().toExtend<Verbs['resume']['result']>();
  expectTypeOf<ConversationEntry[]>().toExtend<Verbs['conversations']['result']>();
  expectTypeOf<SettingInForce[]>().toExtend<Verbs['config']['result']>();
  expectTypeOf<ReturnType<typeof sendStatistics>>().toExtend<Verbs['sends.statistics']['result']>();
  expectTypeOf<{
    at: Report['at'];
    checks: Report['checks'][number][];
    summary: Report['summary'];
  }>().toExtend<Verbs['doctor']['result']>();
});

test('the frames that the agent sends are those that the client knows', () => {
  expectTypeOf<ServerFrame['type']>().toEqualTypeOf<keyof ServerFrames>();
  expectTypeOf<Said<'auth'>>().toEqualTypeOf<ServerFrames['auth']>();
  expectTypeOf<Said<'agent_status'>>().toEqualTypeOf<ServerFrames['agent_status']>();
  expectTypeOf<Said<'chat_message'>>().toEqualTypeOf<ServerFrames['chat_message']>();
  expectTypeOf<Said<'notification'>>().toEqualTypeOf<ServerFrames['notification']>();
  expectTypeOf<Said<'user_presence'>>().toEqualTypeOf<ServerFrames['user_presence']>();
  expectTypeOf<Said<'event'>['topic']>().toEqualTypeOf<Topic>();
});
