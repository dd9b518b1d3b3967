/** An hour of a chart: the height of each of its kinds, from the ground up. */
export interface ChartHour {
  from: string;
  values: readonly number[];
}

/** The hours from the one in which the agent's record begins; before it nothing is known, which is not the same as nothing. */
export function hoursSince<Hour extends ChartHour>(hours: readonly Hour[], since: number): Hour[] {
  const first = hours.findIndex(
    ({ from, values }) => Date.parse(from) + 3_600_000 > since || values.some((value) => value > 0),
  );
  return first < 0 ? hours.slice(-1) : hours.slice(first);
}
