/** What each exit code of the command means; 3 follows the LSB, 78 is EX_CONFIG of sysexits.h. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notRunning: 3,
  degraded: 4,
  cannotTell: 5,
  invalidConfig: 78,
} as const;
