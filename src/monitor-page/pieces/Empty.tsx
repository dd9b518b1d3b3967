/** Says that there is nothing, and what that means. */
export function Empty({ title, words }: { title: string; words?: string | undefined }) {
  return (
    <div class="empty">
      <p>{title}</p>
      {words !== undefined && <p class="soft">{words}</p>}
    </div>
  );
}
