import { fits } from './jsonSchemas.js';

/** A block of JSON on a page of the documentation. */
interface Example {
  /** What the comment in the line before the block says that it is; undefined without one. */
  readonly marker: string | undefined;
  readonly json: string;
}

/** Every block of JSON, each with the marker in the line before it. */
export function examplesIn(page: string): Example[] {
  return [...page.matchAll(/(?:^<!-- (.*) -->\n)?^```json\n([\s\S]*?)^```$/gm)].map(
    ([, marker, json = '']) => ({ marker, json }),
  );
}

/** The examples of the pages, which the contracts show too; the tests execute both. */
export class PageExamples {
  private readonly examples: readonly Example[];

  constructor(pages: readonly string[]) {
    this.examples = pages.flatMap(examplesIn);
  }

  /** Those with this marker that have the form of this name; pages also show older forms, which no contract recommends. */
  of(marker: string, name: string): unknown[] {
    return this.examples
      .filter((example) => example.marker === marker)
      .map(({ json }): unknown => JSON.parse(json))
      .filter((value) => fits(name, value));
  }
}
