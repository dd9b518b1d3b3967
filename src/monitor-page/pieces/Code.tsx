import { useState } from 'preact/hooks';

/** A command to be typed, with a button that copies it. */
export function Code({ text }: { text: string }) {
  const [copied, setCopied] = useState<'yes' | 'no' | null>(null);
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setCopied('yes'),
      // Browsers may refuse it; the text can still be selected.
      () => setCopied('no'),
    );
  const words = copied === 'yes' ? 'Copied' : copied === 'no' ? 'Select it' : 'Copy';
  return (
    <div class="code">
      <code>{text}</code>
      <button type="button" class="quiet" onClick={() => void copy()} aria-label={`${words}: ${text}`}>
        {words}
      </button>
    </div>
  );
}
