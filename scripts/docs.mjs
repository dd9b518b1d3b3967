#!/usr/bin/env node
/* Writes what is made from the code: docs/configuration.md and docs/config.schema.json (the schema of the configuration),
   docs/failures.md (the table of failures). */
import { writeFileSync } from 'node:fs';
import { configurationPage } from '../dist/config/configurationPage.js';
import { configJsonSchema } from '../dist/config/jsonSchema.js';
import { failuresPage } from '../dist/messages/failuresPage.js';

const docs = new URL('../docs/', import.meta.url);
writeFileSync(new URL('configuration.md', docs), configurationPage());
writeFileSync(new URL('config.schema.json', docs), `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
writeFileSync(new URL('failures.md', docs), failuresPage());
