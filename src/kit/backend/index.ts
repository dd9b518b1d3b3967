/** The reference backend, for programs that want one: `import { SimulatedBackend } from 'edge-agent/dev-backend'`. */
export {
  type CredentialsVerdict as Verdict,
  mintToken,
  verifyCredentials,
} from '../../gateway/agents/authentication.js';
export type {
  Ack,
  AgentEvent,
  ReportedStatus as AgentStatus,
  WireCommand,
} from '../../gateway/agents/frames.js';
export type { MessageBody } from '../../gateway/agents/requests.js';
export type { BackendCommands, CommandRequest, Delivery, DeliveryOptions } from './BackendCommands.js';
export type { Journal, JournalEntry } from './Journal.js';
export { loadPersona } from './loadPersona.js';
export {
  BUILT_IN_PERSONAS,
  echo,
  type Persona,
  type PersonaAnswer,
  type PersonaContext,
  scripted,
  silent,
  slow,
} from './persona.js';
export { SimulatedBackend } from './SimulatedBackend.js';
export type { SimulatedBackendOptions } from './SimulatedBackendOptions.js';
