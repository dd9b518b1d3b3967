import { checkVerb } from './config/checkVerb.js';
import { editVerb } from './config/editVerb.js';
import { getVerb } from './config/getVerb.js';
import { pathVerb } from './config/pathVerb.js';
import { resetRemoteVerb } from './config/resetRemoteVerb.js';
import { schemaVerb } from './config/schemaVerb.js';
import { setupVerb } from './config/setupVerb.js';
import { setVerb } from './config/setVerb.js';
import { showVerb } from './config/showVerb.js';
import { tokenVerb } from './config/tokenVerb.js';
import { completionsVerb } from './dev/completionsVerb.js';
import { conformanceVerb } from './dev/conformanceVerb.js';
import { demoVerb } from './dev/demoVerb.js';
import { devBackendVerb } from './dev/devBackendVerb.js';
import { devMessagesVerb } from './dev/devMessagesVerb.js';
import { recordVerb } from './dev/recordVerb.js';
import { replayVerb } from './dev/replayVerb.js';
import { gatewayRunVerb } from './gateway/gatewayRunVerb.js';
import { gatewayVerbs } from './gateway/gatewayVerbs.js';
import { alertsTestVerb } from './inspect/alertsTestVerb.js';
import { commandsListVerb } from './inspect/commandsListVerb.js';
import { commandsShowVerb } from './inspect/commandsShowVerb.js';
import { conversationsListVerb } from './inspect/conversationsListVerb.js';
import { conversationsShowVerb } from './inspect/conversationsShowVerb.js';
import { doctorVerb } from './inspect/doctorVerb.js';
import { logsVerb } from './inspect/logsVerb.js';
import { monitorOpenVerb } from './inspect/monitorOpenVerb.js';
import { monitorRotateVerb } from './inspect/monitorRotateVerb.js';
import { monitorTokenVerb } from './inspect/monitorTokenVerb.js';
import { selftestVerb } from './inspect/selftestVerb.js';
import { statusVerb } from './inspect/statusVerb.js';
import { watchVerb } from './inspect/watchVerb.js';
import { runVerb } from './run/runVerb.js';
import { kickVerb } from './send/kickVerb.js';
import { pauseVerb } from './send/pauseVerb.js';
import { queueDropVerb } from './send/queueDropVerb.js';
import { queueListVerb } from './send/queueListVerb.js';
import { queueRetryVerb } from './send/queueRetryVerb.js';
import { resumeVerb } from './send/resumeVerb.js';
import { scheduleCancelVerb } from './send/scheduleCancelVerb.js';
import { scheduleListVerb } from './send/scheduleListVerb.js';
import { sendVerb } from './send/sendVerb.js';
import { installVerb } from './service/installVerb.js';
import { restartVerb } from './service/restartVerb.js';
import { rollbackVerb } from './service/rollbackVerb.js';
import { startVerb } from './service/startVerb.js';
import { stopVerb } from './service/stopVerb.js';
import { uninstallVerb } from './service/uninstallVerb.js';
import type { VerbGroup, VerbSpec } from './VerbSpec.js';

interface VerbSection {
  heading: string;
  verbs: readonly (VerbSpec | VerbGroup)[];
}

/** Every verb, under the headings and in the order in which the help lists them. */
export const VERB_SECTIONS: readonly VerbSection[] = [
  {
    heading: 'Set up and check:',
    verbs: [
      setupVerb,
      doctorVerb,
      {
        name: 'config',
        about: 'show, check and change the settings',
        verbs: [checkVerb, showVerb, getVerb, setVerb, pathVerb, schemaVerb, editVerb, resetRemoteVerb],
      },
      selftestVerb,
      tokenVerb,
    ],
  },
  {
    heading: 'Run:',
    verbs: [installVerb, uninstallVerb, startVerb, stopVerb, restartVerb, rollbackVerb, runVerb],
  },
  {
    heading: 'Look:',
    verbs: [
      statusVerb,
      logsVerb,
      {
        name: 'conversations',
        about: 'what was said in conversations, and what the agent did',
        verbs: [conversationsListVerb, conversationsShowVerb],
        default: conversationsListVerb,
      },
      {
        name: 'commands',
        about: 'the commands from the backend, and their results',
        verbs: [commandsListVerb, commandsShowVerb],
        default: commandsListVerb,
      },
      watchVerb,
      {
        name: 'monitor',
        about: 'the page and the real-time channel for operators, on this machine only',
        verbs: [monitorOpenVerb, monitorTokenVerb, monitorRotateVerb],
      },
      {
        name: 'alerts',
        about: 'notifications to people when the agent needs help',
        verbs: [alertsTestVerb],
      },
    ],
  },
  {
    heading: 'Act:',
    verbs: [
      pauseVerb,
      resumeVerb,
      sendVerb,
      {
        name: 'schedule',
        about: 'texts that are to be sent later',
        verbs: [scheduleListVerb, scheduleCancelVerb],
        default: scheduleListVerb,
      },
      {
        name: 'queue',
        about: 'messages set aside because the backend refused them',
        verbs: [queueListVerb, queueRetryVerb, queueDropVerb],
        default: queueListVerb,
      },
      kickVerb,
    ],
  },
  {
    heading: 'Develop a backend:',
    verbs: [demoVerb, devBackendVerb, devMessagesVerb, conformanceVerb, recordVerb, replayVerb],
  },
  { heading: 'Run a backend:', verbs: [gatewayVerbs] },
  { heading: 'Help:', verbs: [completionsVerb] },
];

/** Those whose examples stand in the help of the whole command, in this order. */
export const SHOWN_BY_EXAMPLE: readonly VerbSpec[] = [
  setupVerb,
  installVerb,
  runVerb,
  statusVerb,
  logsVerb,
  pauseVerb,
  sendVerb,
  demoVerb,
  devBackendVerb,
  gatewayRunVerb,
];
