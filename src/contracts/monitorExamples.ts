const timestamp = '2026-11-20T08:00:00.000Z';

/** One example of each frame of the local channel, by the name of its schema. */
export const MONITOR_EXAMPLES: Readonly<Record<string, unknown>> = {
  MonitorAuth: { type: 'auth', data: { success: true, userId: 'user_abc123' }, timestamp },
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
    data: { userId: 'user_abc123', status: 'away' },
    timestamp,
  },
  MonitorError: { type: 'error', data: { error: 'unknown frame type "dance"' }, timestamp },
  MonitorClientPing: { type: 'ping' },
  MonitorClientPong: { type: 'pong' },
  MonitorPresence: { type: 'user_presence', data: 'online' },
};
