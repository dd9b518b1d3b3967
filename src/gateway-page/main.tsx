import { render } from 'preact';
import { App } from './App.js';
import './style/console.css';

const page = document.getElementById('page');
if (page !== null) render(<App />, page);
