/**
 * How long a test waits for what must come. Far longer than it takes on a busy machine: patience costs nothing when the
 * event comes, and a limit that a slow machine can reach makes a test of the machine.
 */
export const PATIENCE_MS = 120_000;
