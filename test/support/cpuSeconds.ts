import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** Linux counts in ticks of 10 ms (sysconf _SC_CLK_TCK). */
const TICKS_A_SECOND = 100;

/** The CPU time that a process has used since its start, in seconds. */
export function cpuSeconds(pid: number): number {
  const path = `/proc/${pid}/stat`;
  if (existsSync(path)) {
    // proc(5): utime and stime are the 14th and 15th field; the name, which may hold blanks, ends with the last bracket.
    const fields = readFileSync(path, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
  }
  // `[dd-][hh:]mm:ss.cc`
  const text = execFileSync('ps', ['-o', 'cputime=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  return text.split(/[-:]/).reduce((seconds, part) => seconds * 60 + Number(part), 0);
}
