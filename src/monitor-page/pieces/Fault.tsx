/** What an error says. */
export interface FaultWords {
  readonly message: string;
  readonly remedy?: string | undefined;
}

/** Why something could not be had, what to do, and a button that does it. */
export function Fault({ error, onAgain }: { error: FaultWords; onAgain: () => void }) {
  return (
    <div class="notice bad" role="alert">
      <p>
        <strong>{error.message}</strong> {error.remedy}
      </p>
      <button type="button" onClick={onAgain}>
        Try again
      </button>
    </div>
  );
}
