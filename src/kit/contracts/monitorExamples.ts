import type { PageExamples } from './examples.js';

const timestamp = '2026-11-20T08:00:00.000Z';

/** Examples of each frame of the local channel, by the name of its schema; the status is that of the pages. */
export function monitorExamples(pages: PageExamples): Readonly<Record<string, readonly unknown[]>> {
  const [shown] = pages.of('frame: edge→backend', 'StatusFrame') as { data: unknown }[];
  const status = shown?.data;
  const presence = [{ userId: 'ann', status: 'online' }];
  return {
    ...Object.fromEntries(Object.entries(FRAMES).map(([name, frame]) => [name, [frame]])),
    MonitorSnapshot: [{ type: 'snapshot', data: { status, presence }, timestamp }],
  };
}

const FRAMES: Readonly<Record<string, unknown>> = {
  MonitorAuth: { type: 'auth', data: { success: true, userId: 'ann' }, timestamp },
  MonitorServerPing: { type: 'ping', timestamp },
  MonitorServerPong: { type: 'pong', timestamp },
  MonitorAgentStatus: {
    type: 'agent_status',
    data: { agentName: 'edge_13105550100', state: 'working', currentTask: 'Sending a text', progress: 45 },
    timestamp,
  },
  MonitorChatMessage: {
    type: 'chat_message',
    data: {
      conversationId: '+13105551234',
      messageId: '5AB627B5-438C-471C-97E4-70E851AFA29F',
      content: 'found one at $429',
      sender: 'edge_13105550100',
      timestamp,
      cursor: '1042-9f2b61c0',
    },
    timestamp,
  },
  MonitorNotification: {
    type: 'notification',
    data: { level: 'warning', message: 'The backend cannot be reached.' },
    timestamp,
  },
  MonitorPresenceTold: {
    type: 'user_presence',
    data: { userId: 'ann', status: 'away' },
    timestamp,
  },
  MonitorError: { type: 'error', data: { error: 'unknown frame type "dance"' }, timestamp },
  MonitorClientPing: { type: 'ping' },
  MonitorClientPong: { type: 'pong' },
  MonitorPresence: { type: 'user_presence', data: 'online' },
  MonitorEvent: {
    type: 'event',
    data: {
      topic: 'commands',
      at: timestamp,
      commandId: 'cmd_1',
      commandType: 'send_message_now',
      stage: 'received',
    },
    timestamp,
  },
  MonitorResponse: {
    type: 'response',
    data: { id: '1', ok: true, result: { conversation: '+13105551234', changed: true } },
    timestamp,
  },
  MonitorSubscribe: { type: 'subscribe', data: { topics: ['commands', 'logs'] } },
  MonitorRequest: {
    type: 'request',
    data: { id: '1', verb: 'pause', args: { conversation: '+13105551234' } },
  },
};
