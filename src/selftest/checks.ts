import type { Check } from './check.js';
import { access, decoding, schema } from './checks/chatDatabase.js';
import {
  account,
  automation,
  externalPrograms,
  messagesRunning,
  osascriptStart,
  sleep,
  version,
} from './checks/macos.js';
import { agent, launchdNode, node } from './checks/program.js';
import { sendingChecks } from './checks/sending.js';
import { config, stateDirectory } from './checks/settings.js';
import { fileEvents, wakeGap } from './checks/timing.js';

/** Every check, in the order in which one builds on another. */
export function allChecks(): readonly Check[] {
  return [
    node,
    launchdNode,
    config,
    stateDirectory,
    agent,
    version,
    externalPrograms,
    access,
    schema,
    decoding,
    fileEvents,
    wakeGap,
    sleep,
    osascriptStart,
    messagesRunning,
    automation,
    account,
    ...sendingChecks(),
  ];
}
