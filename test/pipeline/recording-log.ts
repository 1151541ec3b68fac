/** A log that keeps what it is told. */
import type { Log } from '../../src/pipeline/ports.ts';

/** Lines as `warn Cannot do it`. */
export function recordingLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const write = (level: string) => (_fields: object, message: string) => {
    lines.push(`${level} ${message}`);
  };
  return { log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }, lines };
}
