/** How to get a newer version, whichever way this one was installed. */
export function upgradeRemedy(version: string): string {
  return `Get ${version} as you got this one (npm install -g --allow-scripts=better-sqlite3 edge-agent@${version}; in a clone: git pull && npm ci && npm run build), then run: edge-agent install`;
}
