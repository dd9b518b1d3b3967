import { useEffect, useRef, useState } from 'preact/hooks';
import { monitorHooks } from '../monitor-client/index.js';

/** The client's hooks, on Preact. */
export const { useMonitor, useAnswer } = monitorHooks({ useState, useEffect, useRef });
