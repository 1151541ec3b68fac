/** Writes the JSON Schemas in config/ and the CRD in deploy/ from the schemas in src/; a test fails where they are out of step. */
import { writeFileSync } from 'node:fs';
import { generatedSchemas } from './generated-schemas.ts';

for (const [file, text] of Object.entries(generatedSchemas())) writeFileSync(file, text);
