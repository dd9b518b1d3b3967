import { useId, useRef } from 'preact/hooks';

/** A button whose act is asked for once more, as it cannot be undone. */
export function Confirmed(props: {
  label: string;
  /** The purpose of the button, for users who cannot see its position. */
  about: string;
  question: string;
  consequence: string;
  onConfirm: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  const words = useId();
  const close = (confirmed: boolean) => {
    dialog.current?.close();
    if (confirmed) props.onConfirm();
  };
  return (
    <>
      <button
        type="button"
        class="danger"
        aria-label={`${props.label}: ${props.about}`}
        onClick={() => dialog.current?.showModal()}
      >
        {props.label}
      </button>
      <dialog ref={dialog} aria-labelledby={title} aria-describedby={words}>
        <h2 id={title}>{props.question}</h2>
        <p id={words}>{props.consequence}</p>
        <div class="row end">
          <button type="button" onClick={() => close(false)}>
            Keep it
          </button>
          <button type="button" class="primary bad" onClick={() => close(true)}>
            {props.label}
          </button>
        </div>
      </dialog>
    </>
  );
}
