/** What the agent's process was started with; asked for by `doctor`, never told to the backend. */
export interface RuntimeAnswer {
  readonly node_path: string;
  readonly node_version: string;
}

/** Of this process. */
export function runtime(): RuntimeAnswer {
  return { node_path: process.execPath, node_version: process.version };
}
