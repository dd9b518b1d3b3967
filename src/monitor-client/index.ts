export type {
  Presence,
  Topic,
  WrittenClientFrame as ClientFrame,
} from '../model/clientFrames.js';
export type {
  AgentStatus,
  ChatMessage,
  LiveEvent,
  Notification,
  NotificationLevel,
  ServerFrame,
  ServerFrames,
  Snapshot,
  UserPresence,
} from '../model/monitorFrames.js';
export type {
  Bubble,
  CheckVerdict as Verdict,
  CommandDetail,
  CommandEntry,
  Conversation,
  DayOfWork,
  DoctorReport,
  LinkWord,
  LogLine,
  MonitorApi as Verbs,
  MonitorVerb as Verb,
  PastNotification,
  QueueEntry,
  ScheduleEntry,
  SendStatistics,
  SettingInForce as Setting,
} from '../model/operatorApi.js';
export type { RequestFault } from '../model/problem.js';
export type { StatusSnapshot as Status } from '../model/status.js';
export type { ClientClock, ClientTimer as Timer } from './clock.js';
export {
  type ConnectionState,
  MonitorClient,
  type MonitorClientOptions,
  type MonitorEvents,
} from './MonitorClient.js';
export {
  type MonitorHooks,
  type MonitorView,
  monitorHooks,
  type NotificationAt,
  type UiHooks,
} from './monitorHooks.js';
export { MonitorError } from './OpenRequests.js';
export { type Answer, type Occasion, Question } from './Question.js';
export type { WebSocketConstructor, WebSocketLike } from './WebSocketLike.js';
