import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** How near the end counts as reading along, px. */
const NEAR_END = 80;

/**
 * A scrolling area; it is focusable, so that it can be scrolled by keyboard. With `follow` it stays at its end when
 * that changes, unless the operator has scrolled up.
 */
export function Scrolled(props: {
  label: string;
  class?: string;
  role?: 'region' | 'log';
  follow?: unknown;
  children: ComponentChildren;
}) {
  const part = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const { follow } = props;
  useEffect(() => {
    if (follow !== undefined && isAtEnd.current) part.current?.scrollTo(0, part.current.scrollHeight);
  }, [follow]);
  const onScroll = ({
    currentTarget: { scrollHeight, scrollTop, clientHeight },
  }: {
    currentTarget: Element;
  }) => {
    isAtEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_END;
  };
  return (
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: it always has a role that may have a label.
    <div
      ref={part}
      class={`scroll ${props.class ?? ''}`}
      role={props.role ?? 'region'}
      tabIndex={0}
      aria-label={props.label}
      onScroll={onScroll}
    >
      {props.children}
    </div>
  );
}
