#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { runProgram } from './cli/program.ts';
import { openSession } from './compose.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
process.exitCode = await runProgram(process.argv.slice(2), openSession, version);
