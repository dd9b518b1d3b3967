import { useEffect, useRef, useState } from 'preact/hooks';
import { type MonitorHooks, monitorHooks } from '../monitor-client/index.js';

/** The client's hooks, on Preact. */
const hooks = monitorHooks({ useState, useEffect, useRef });
export const { useMonitor } = hooks;

/**
 * Like the client's, with one difference: answers with texts are removed immediately when texts are hidden, not only
 * after the agent has answered again.
 */
export const useAnswer: MonitorHooks['useAnswer'] = (client, verb, args, occasions) => {
  const { again, of, ...answer } = hooks.useAnswer(client, verb, args, occasions);
  return hasTexts(of) && !hasTexts(args) ? { state: 'loading', of, again } : { ...answer, of, again };
};

function hasTexts(args: object): boolean {
  return 'texts' in args && args.texts === true;
}
