/** One of a few, all in sight. */
export function Choice<T extends string>(props: {
  label: string;
  options: readonly (readonly [T, string])[];
  value: T;
  onValue: (value: T) => void;
}) {
  return (
    <fieldset class="choice">
      <legend class="unseen">{props.label}</legend>
      {props.options.map(([value, words]) => (
        <label key={value} class={value === props.value ? 'chosen' : ''}>
          <input
            type="radio"
            class="unseen"
            name={props.label}
            checked={value === props.value}
            onChange={() => props.onValue(value)}
          />
          {words}
        </label>
      ))}
    </fieldset>
  );
}
