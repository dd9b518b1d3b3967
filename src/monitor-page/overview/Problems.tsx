import { useOperator } from '../operator.js';
import { Time } from '../pieces/Time.js';

/** What keeps the agent from its whole job, and what to do about it. Nothing while it is well. */
export function Problems() {
  const { monitor, people } = useOperator();
  const problems = monitor.snapshot?.status.problems ?? [];
  if (problems.length === 0) return null;
  return (
    <section class="card wide problems" aria-label="Problems">
      <ul>
        {problems.map(({ code, since, message, remedy }) => (
          <li key={`${code}${message}`}>
            <p>
              <strong>{people.named(message)}</strong> <span class="soft">{code}, </span>
              <Time at={since} />
            </p>
            <p>{remedy}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}
