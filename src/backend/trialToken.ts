import { httpBase, webSocketUrl } from '../config/backendUrls.js';
import type { LoadedConfig } from '../config/loadConfig.js';
import { backendSettings } from './backendSettings.js';
import { type Credentials, credentialsFor } from './credentials.js';

/** Credentials to try the backend with by hand, and where it is. */
interface TrialToken {
  credentials: Credentials;
  agentId: string;
  httpBase: string;
  webSocketUrl: string;
}

/**
 * What the agent would show the backend now. `agentId` is the one that it goes by; undefined: the configured one, else the
 * one made of the phone, as before a registration.
 */
export function trialToken(loaded: LoadedConfig, agentId: string | undefined, now: number): TrialToken {
  const { config, secrets } = loaded;
  const settings = backendSettings(config);
  const id = settings.edgeAgentId ?? agentId ?? `edge_${settings.userPhone.replace(/\D/g, '')}`;
  const url = httpBase(config);
  const credentials = credentialsFor({ secrets, settings, agentId: id, url, now });
  return { credentials, agentId: id, httpBase: url, webSocketUrl: webSocketUrl(config, id) };
}
