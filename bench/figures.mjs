/** Numbers of a bench: how samples become one figure, and how a figure is held against its budget. */

/** The value below which `share` (0 to 1) of the samples lie. */
export function percentile(samples, share) {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const median = (samples) => percentile(samples, 0.5);

/** Ms on a clock that all processes of this machine share. */
export function nowMs() {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * Microseconds that one call of `run` takes: the median of `rounds` rounds of `calls` calls each, after one that does
 * not count. Several functions are measured in turns, so that what else the machine does hits all of them alike.
 */
export function microsecondsPerCall(functions, { rounds = 15, calls }) {
  const samples = functions.map(() => []);
  for (let round = -1; round < rounds; round++) {
    functions.forEach((run, index) => {
      const began = process.hrtime.bigint();
      for (let call = 0; call < calls; call++) run(call);
      const took = Number(process.hrtime.bigint() - began) / 1e3 / calls;
      if (round >= 0) samples[index].push(took);
    });
  }
  return samples.map(median);
}

/** `measured` itself must be within the budget, if it has one; the reference, of the same run, shows how fast the machine was. */
export function bounded({ what, measured, reference, unit, most, least }) {
  const within = (most === undefined || measured <= most) && (least === undefined || measured >= least);
  const limit = [most && `≤ ${amount(most, unit)}`, least && `≥ ${amount(least, unit)}`].find(Boolean);
  const compared = reference === undefined ? '' : times(measured / reference.value);
  return row({ what, measured, reference, unit, compared, limit, within });
}

/** `measured / reference` must be at most `most`. */
export function ratio({ what, measured, reference, unit, most }) {
  const value = measured / reference.value;
  const compared = times(value);
  return row({ what, measured, reference, unit, compared, limit: `≤ ${times(most)}`, within: value <= most });
}

/** `measured - reference` must be at most `most`, if that is given. */
export function difference({ what, measured, reference, unit, most }) {
  const value = measured - reference.value;
  const compared = `${value < 0 ? '−' : '+'}${amount(Math.abs(value), unit)}`;
  const limit = most === undefined ? undefined : `≤ +${amount(most, unit)}`;
  return row({ what, measured, reference, unit, compared, limit, within: value <= most });
}

function row({ what, measured, reference, unit, compared, limit, within }) {
  return {
    what,
    measured: amount(measured, unit),
    reference: reference === undefined ? '' : `${reference.name} ${amount(reference.value, unit)}`,
    compared,
    budget: limit ?? '',
    verdict: limit === undefined ? '' : within ? 'ok' : 'over',
  };
}

/** Three digits that count, thousands set apart. */
function amount(value, unit) {
  const digits = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 1 ? 2 : 3;
  return `${value.toFixed(digits).replace(/\B(?=(?:\d{3})+$)/, ' ')} ${unit}`;
}

function times(value) {
  return `${value.toFixed(value < 10 ? 2 : 0)} ×`;
}
