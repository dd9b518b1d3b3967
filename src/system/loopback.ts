/** Whether a URL's host is this machine: 127.0.0.0/8, ::1 or localhost. Expects the form that `URL` gives it. */
export function isLoopback(hostname: string): boolean {
  // URL has already made every spelling of an IPv4 address (127.1, 0x7f.1) a dotted quad.
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
