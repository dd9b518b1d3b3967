export { runLargest as run } from './look.mjs';
