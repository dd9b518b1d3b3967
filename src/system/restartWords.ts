/** What an operator does to restart this process, as a sentence: by what started it. `isService`: by `run --service`. */
export function restartWords(isService: boolean, platform: NodeJS.Platform): string {
  if (!isService) return 'Restart the agent: stop it (Ctrl-C), then edge-agent run.';
  if (platform === 'darwin') return 'Restart the agent: edge-agent restart.';
  return 'Restart the agent by what started it (edge-agent run --service).';
}
