import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The directory of the package that this code is part of, symbolic links resolved: the nearest one above it with a
 * package.json, whether the code runs from source, compiled or bundled.
 */
export const PACKAGE_ROOT = nearest(dirname(fileURLToPath(import.meta.url)));

function nearest(directory: string): string {
  if (existsSync(join(directory, 'package.json'))) return realpathSync(directory);
  const above = dirname(directory);
  if (above === directory) throw new Error('This code is not in a package: the installation is damaged.');
  return nearest(above);
}
