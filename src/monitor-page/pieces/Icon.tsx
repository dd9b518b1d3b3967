const PATHS = {
  overview: 'M3 12h4l3-8 4 16 3-8h4',
  conversations: 'M4 5h16v11H9l-5 4z',
  commands: 'M5 7l5 5-5 5M12 18h7',
  schedule: 'M12 7v5l3 3M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z',
  queues: 'M4 7h16M4 12h16M4 17h10',
  log: 'M6 3h9l4 4v14H6zM9 12h7M9 16h7',
  doctor: 'M12 21s-8-5-8-11a4.5 4.5 0 0 1 8-2.8A4.5 4.5 0 0 1 20 10c0 6-8 11-8 11z',
  settings:
    'M4 7h9M17 7h3M4 17h3M11 17h9M13 7a2 2 0 1 0 4 0 2 2 0 0 0-4 0zM7 17a2 2 0 1 0 4 0 2 2 0 0 0-4 0z',
  eye: 'M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM15 12a3 3 0 1 1-6 0 3 3 0 0 1 6 0z',
  pause: 'M8 5v14M16 5v14',
  play: 'M7 5l12 7-12 7z',
  back: 'M15 5l-7 7 7 7',
  close: 'M6 6l12 12M18 6L6 18',
} as const;

type IconName = keyof typeof PATHS;

/** An icon next to text; decorative only. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
