/** How to get a newer version, whichever way this one was installed. */
export function upgradeRemedy(version: string): string {
  return `Install ${version} in the same way as this version (npm install -g --allow-scripts=better-sqlite3 edge-agent@${version}; in a clone: git pull && npm ci && npm run build), then run: edge-agent install`;
}
