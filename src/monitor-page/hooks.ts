import { useEffect, useRef, useState } from 'preact/hooks';
import { type MonitorHooks, monitorHooks } from '../monitor-client/index.js';

/** The client's hooks, on Preact. */
const hooks = monitorHooks({ useState, useEffect, useRef });
export const { useMonitor } = hooks;

/**
 * As the client has it, but for one thing: what was answered while texts were shown is gone at once when they are to be hidden, and not
 * only once the agent has answered anew.
 */
export const useAnswer: MonitorHooks['useAnswer'] = (client, verb, args, occasions) => {
  const { again, of, ...answer } = hooks.useAnswer(client, verb, args, occasions);
  return hasTexts(of) && !hasTexts(args) ? { state: 'loading', of, again } : { ...answer, of, again };
};

function hasTexts(args: object): boolean {
  return 'texts' in args && args.texts === true;
}
