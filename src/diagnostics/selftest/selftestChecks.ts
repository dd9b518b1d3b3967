import { access, decoding, schema } from '../checks/chatDatabase.js';
import type { Check } from '../checks/check.js';
import { localNetwork } from '../checks/localNetwork.js';
import {
  account,
  automation,
  externalPrograms,
  messagesRunning,
  osascriptStart,
  sleep,
  version,
} from '../checks/macos.js';
import { agent, launchdNode, node } from '../checks/program.js';
import { config, stateDirectory } from '../checks/settings.js';
import { marker } from './marker.js';
import { sendingChecks } from './sending.js';
import { chatDbForms } from './survey/chatDbForms.js';
import { fileEvents, wakeGap } from './timing.js';

/** Every check of the selftest, in the order in which one builds on another. */
export function selftestChecks(): readonly Check[] {
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
    chatDbForms,
    fileEvents,
    wakeGap,
    sleep,
    osascriptStart,
    marker,
    localNetwork,
    messagesRunning,
    automation,
    account,
    ...sendingChecks(),
  ];
}
