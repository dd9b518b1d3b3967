/** In place of an answer that is not there yet. */
export function Loading() {
  return (
    <div class="loading" aria-busy="true">
      <span class="unseen">Loading</span>
      <i />
      <i />
      <i />
    </div>
  );
}
