/** In the place of a proxy: none is used, whatever the environment says. */
export const NO_PROXY = 'none';

/** The URL of a proxy as it is used; undefined for what is none. As in curl it may lack its `http://`. */
export function parseProxyUrl(text: string): string | undefined {
  const full = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(full)) return undefined;
  const url = new URL(full);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  if (url.hostname === '' || url.pathname !== '/' || url.search !== '' || url.hash !== '') return undefined;
  return url.href;
}
