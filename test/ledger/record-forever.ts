/** A process that records tags one after the other and says each that was taken, until it is killed: `<stateDir> <name>`. */
import { createLmdbLedger } from '../../src/ledger/lmdb-ledger.ts';

const [stateDir = '', name = ''] = process.argv.slice(2);
const { signal } = new AbortController();
const ledger = createLmdbLedger({ stateDir, clock: { nowMs: Date.now, wallMs: Date.now } });
for (let index = 0; ; index += 1) {
  const tag = `${name}-${index}`;
  const look = { sightings: [{ tag, digest: undefined }], nowMs: 1000 + index };
  await Promise.all(['ghcr.io/acme/a', 'ghcr.io/acme/b'].map((one) => ledger.record(one, look, { signal })));
  process.stdout.write(`${tag}\n`);
}
