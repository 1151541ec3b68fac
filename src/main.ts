#!/usr/bin/env node
import { runProgram } from './cli/program.ts';
import { readVersion } from './compose/measured.ts';
import { openSession } from './compose/open-session.ts';

process.exitCode = await runProgram(process.argv.slice(2), openSession, readVersion());
