/* Preloaded into the daemon: tells its parent what it uses, and does not keep it alive. */
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpu: user + system, rss: process.memoryUsage.rss() });
});
process.channel?.unref();
