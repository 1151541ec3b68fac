/** A process that records one tag after the other and says each that was taken, until it is killed: `<stateDir> <name> forever`; or one for each line it reads: `asked`. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { createLmdbLedger } from '../../src/ledger/lmdb-ledger.ts';

const [stateDir = '', name = '', when] = process.argv.slice(2);
const { signal } = new AbortController();
const ledger = createLmdbLedger({ stateDir, clock: { nowMs: Date.now, wallMs: Date.now } });
const questions = createInterface(process.stdin);
// Who waits for others still hears.
questions.on('line', () => process.stderr.write('heard\n'));
for (let index = 0; ; index += 1) {
  if (when === 'asked' && index > 0) await once(questions, 'line');
  const tag = `${name}-${index}`;
  const look = { sightings: [{ tag, digest: undefined }], nowMs: 1000 + index };
  await Promise.all(['ghcr.io/acme/a', 'ghcr.io/acme/b'].map((one) => ledger.record(one, look, { signal })));
  process.stdout.write(`${tag}\n`);
}
