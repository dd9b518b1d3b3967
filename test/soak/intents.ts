/** A text, or a file by its name, to be sent now. */
export interface SendIntent {
  kind: 'send';
  commandId: string;
  conversation: string;
  text: string;
  isFile: boolean;
}

/** A text to be sent later. */
export interface ScheduleIntent {
  kind: 'schedule';
  commandId: string;
  text: string;
}

/** A scheduled text is to be taken back, if it is not too late for that. */
export interface CancelIntent {
  kind: 'cancel';
  commandId: string;
}

/** A message came in. */
export interface MessageIntent {
  guid: string;
  conversation: string;
  /** Its row was complete only some time after it appeared, so that younger ones may be posted before it. */
  late: boolean;
  /** The guid of the image that it has, for the backend to get. */
  image?: string;
}

export type CommandIntent = SendIntent | ScheduleIntent | CancelIntent;

/** Everything that was asked of the agent, in the order of asking. */
export interface Intents {
  commands: readonly CommandIntent[];
  messages: readonly MessageIntent[];
}
