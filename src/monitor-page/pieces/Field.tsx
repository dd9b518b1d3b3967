/** A labelled field that narrows a list down. */
export function Field(props: {
  label: string;
  value: string;
  onValue: (value: string) => void;
  hint?: string;
}) {
  return (
    <label class="field">
      <span class="label">{props.label}</span>
      <input
        type="search"
        value={props.value}
        placeholder={props.hint}
        onInput={(event) => props.onValue(event.currentTarget.value)}
      />
    </label>
  );
}
