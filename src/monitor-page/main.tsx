import { render } from 'preact';
import { App } from './App.js';
import { takeLinkToken } from './session.js';
import './style/page.css';

const { token, rest } = takeLinkToken(new URL(location.href));
// Before anything else: the token is not to stay in the address bar, nor in the history.
if (token !== null) history.replaceState(null, '', rest);

const page = document.getElementById('page');
if (page !== null) render(<App linkToken={token} />, page);
