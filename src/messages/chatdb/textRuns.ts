/** What we want to know of a run's attributes; others (effects, data detectors, sizes) are read and left. */
export interface RunAttributes {
  readonly messagePart: number | null;
  /** `attachment.guid` of the file whose place is this run's U+FFFC. */
  readonly transferGuid: string | null;
  /** The handle of a person who is mentioned. */
  readonly mention: string | null;
  readonly link: string | null;
  /** What was said in the audio file whose place this is, as far as a device wrote it down. */
  readonly transcription: string | null;
  readonly oneTimeCode: boolean;
}

/** A stretch of the text; `start` and `length` count UTF-16 code units, as JavaScript does. */
export interface TextRun {
  start: number;
  length: number;
  attributes: RunAttributes;
}

export type TypedStream =
  | { kind: 'text'; text: string; runs: TextRun[] }
  | { kind: 'damaged'; reason: string };
