import { httpBase, webSocketUrl } from '../config/backendUrls.js';
import type { Config } from '../config/schema.js';
import type { BackendSettings } from './settings.js';

/** The configuration as the backend room wants it. */
export function backendSettings(config: Config): BackendSettings {
  return {
    edgeAgentId: config.edge.agent_id,
    userPhone: config.edge.user_phone,
    appleId: config.edge.apple_id,
    httpBase: httpBase(config),
    webSocketUrl: (agentId) => webSocketUrl(config, agentId),
    syncIntervalSeconds: config.backend.sync_interval_seconds,
    requestTimeoutSeconds: config.backend.request_timeout_seconds,
    safetySyncSeconds: config.backend.safety_sync_seconds,
    websocketEnabled: config.websocket.enabled,
    reconnectAttempts: config.websocket.reconnect_attempts,
    pingIntervalSeconds: config.websocket.ping_interval_seconds,
    authMode: config.auth.mode,
    allowPlainSecret: config.auth.allow_plain_secret,
  };
}
