#!/usr/bin/env node
import { plainStatus } from './inspect/plainStatus.js';

// Asked often and by programs, `status` must start fast: it is a bundle of its own, and needs no commander.
const asked = plainStatus(process.argv.slice(2));
if (asked === undefined) void import('./commandLine.js').then(({ commandLine }) => commandLine());
else void import('./quickStatus.js').then(({ quickStatus }) => quickStatus(asked));
