import { pino } from 'pino';
import pretty from 'pino-pretty';
import type { Log } from '../pipeline/ports.ts';

/** A log on standard error: JSON lines, or text for people; `auto` looks whether it is a terminal. */
export function createLog(settings: { level: string; format: 'auto' | 'json' | 'text' }): Log {
  const terminal = process.stderr.isTTY === true;
  const text = settings.format === 'text' || (settings.format === 'auto' && terminal);
  const options = { level: settings.level, base: null };
  if (!text) return pino(options, pino.destination({ fd: 2, sync: true }));
  const stream = pretty({
    colorize: terminal,
    destination: 2,
    sync: true,
    singleLine: true,
    translateTime: 'HH:MM:ss.l',
  });
  return pino(options, stream);
}
