#!/usr/bin/env node
import { plainStatus } from './inspect/plainStatus.js';

// `status` is called often and by programs, so it must start fast: it is a separate bundle, and does not need
// commander.
const asked = plainStatus(process.argv.slice(2));
if (asked === undefined) void import('./commandLine.js').then(({ commandLine }) => commandLine());
else void import('./quickStatus.js').then(({ quickStatus }) => quickStatus(asked));
