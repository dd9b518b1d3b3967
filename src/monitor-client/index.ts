export type { ClientClock, Timer } from './clock.js';
export type * from './frames.js';
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
export { type Answer, type Occasion, Question } from './Question.js';
export { MonitorError } from './Requests.js';
export type * from './verbs.js';
export type { WebSocketConstructor, WebSocketLike } from './WebSocketLike.js';
