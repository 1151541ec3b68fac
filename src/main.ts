#!/usr/bin/env node
import { runProgram } from './cli/program.ts';
import { openSession, readVersion } from './compose.ts';

process.exitCode = await runProgram(process.argv.slice(2), openSession, readVersion());
