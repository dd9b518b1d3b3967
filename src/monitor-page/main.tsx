import { render } from 'preact';
import { App } from './App.js';
import { takeLinkToken } from './session.js';
import './style/page.css';

/** Shows the page for what its address says; a link may also be opened in a tab that has the page already. */
function open(): void {
  const { token, rest } = takeLinkToken(new URL(location.href));
  // Before anything else: the token is not to stay in the address bar, nor in the history.
  if (token !== null) history.replaceState(null, '', rest);
  const page = document.getElementById('page');
  if (page !== null) render(<App key={token} linkToken={token} />, page);
}

addEventListener('hashchange', () => {
  if (takeLinkToken(new URL(location.href)).token !== null) open();
});
open();
