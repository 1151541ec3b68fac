import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { open } from 'lmdb';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { readUsedBytes } from '../../src/ledger/check-data-file.ts';
import { createLmdbLedger } from '../../src/ledger/lmdb-ledger.ts';
import type { Ledger } from '../../src/pipeline/job-ports.ts';
import { type LedgerScene, testLedger } from '../contracts/ledger-contract.ts';
import { withWriters } from './writers.ts';

const { signal } = new AbortController();
let root = '';
let folders = 0;
const nextFolder = (): string => {
  folders += 1;
  return join(root, `state-${folders}`);
};
const seen = (tag: string, nowMs = 100) => ({ sightings: [{ tag, digest: undefined }], nowMs });
const clock = { nowMs: () => 1_700_000_000_000, wallMs: () => 1_700_000_000_000 };
const opened: Ledger[] = [];
const openLedger = (stateDir: string): Ledger => {
  const ledger = createLmdbLedger({ stateDir, clock });
  opened.push(ledger);
  return ledger;
};

before(() => {
  root = mkdtempSync(join(tmpdir(), 'ledger-'));
});
after(async () => {
  for (const ledger of opened) await ledger.close();
  rmSync(root, { recursive: true, force: true });
});

let scene: LedgerScene;
before(() => {
  const stateDir = nextFolder();
  scene = {
    ledger: openLedger(stateDir),
    other: openLedger(stateDir),
    async damage(repository) {
      const raw = open<string, string>({ path: join(stateDir, 'ledger.mdb'), noSubdir: true, encoding: 'string' });
      raw.putSync(repository, 'something else');
    },
  };
});
testLedger('LMDB', () => scene);

describe('the LMDB ledger of processes that are killed', () => {
  it('has all that was taken, and nothing in part', { timeout: 60_000 }, async () => {
    const stateDir = nextFolder();
    const ledger = openLedger(stateDir);
    const known: string[] = [];
    await withWriters(stateDir, async (start) => {
      for (let round = 0; round < 2; round += 1) {
        const writers = ['a', 'b', 'c'].map((name) => start(`${name}${round}`, 'forever'));
        for (const { kill, hasMore } of writers) {
          await hasMore(0, 20_000);
          setTimeout(() => kill('SIGKILL'), 20 + Math.random() * 60);
        }
        for (const { recorded } of writers) known.push(...(await recorded));
        for (const repository of ['ghcr.io/acme/a', 'ghcr.io/acme/b'])
          for (const reader of [ledger, openLedger(stateDir)]) {
            const entries = await reader.read(repository, { signal });
            assert.deepEqual(
              known.filter((tag) => !entries.has(tag)),
              [],
            );
            // What a writer was just about to say may be there too.
            assert.ok(entries.size <= known.length + 3 * (round + 1));
          }
      }
    });
    assert.ok(known.length > 6);
    assert.ok((await ledger.record('ghcr.io/acme/a', seen('after-all'), { signal })).size > known.length);
  });

  it('keeps nobody from writing, nor from anything else, who waits for one that is stopped', {
    timeout: 60_000,
  }, async () => {
    await withWriters(nextFolder(), async (start) => {
      const [busy, other] = [start('busy', 'forever'), start('other', 'asked')];
      for (const { hasMore } of [busy, other]) assert.ok(await hasMore(0, 30_000));
      let waited = 0;
      while (waited < 3) {
        // At some instant: mostly it is writing then, and the other waits.
        busy.kill('SIGSTOP');
        const [before, heard] = [other.count(), other.heard()];
        other.ask();
        if (!(await other.hasMore(before, 300))) {
          waited += 1;
          other.ask();
          assert.ok(await other.hasHeard(heard + 1, 3000), 'it stands still');
        }
        busy.kill('SIGCONT');
        assert.ok(await other.hasMore(before, 5000));
      }
      busy.kill('SIGSTOP');
      const before = other.count();
      other.ask();
      busy.kill('SIGKILL');
      assert.ok(await other.hasMore(before, 5000));
    });
  });
});

describe('the LMDB ledger of many repositories', () => {
  it('takes a thousand at once with one signal, and leaves nothing at it', async (t) => {
    const warnings: string[] = [];
    const warn = ({ name }: Error): void => void warnings.push(name);
    process.on('warning', warn);
    t.after(() => process.off('warning', warn));
    const ledger = openLedger(nextFolder());
    const one = new AbortController();
    const sightings = Array.from({ length: 100 }, (_, index) => ({ tag: `t${index}`, digest: undefined }));
    const all = Array.from({ length: 1000 }, (_, index) => `ghcr.io/acme/${index}`);
    const record = (repository: string) => ledger.record(repository, { sightings, nowMs: 1 }, one);
    for (const { size } of await Promise.all(all.map(record))) assert.equal(size, 100);
    let turns = 0;
    const turn = setInterval(() => {
      turns += 1;
    }, 1);
    for (let round = 0; round < 10; round += 1) await Promise.all(all.map(record));
    clearInterval(turn);
    assert.ok(turns > 1, `others had ${turns} turns while nothing was new`);
    assert.deepEqual([warnings, getEventListeners(one.signal, 'abort').length], [[], 0]);
  });
});

describe('the LMDB ledger over years', () => {
  const dayMs = 86_400_000;

  it('forgets repositories that nobody looked at for a year, and no others', async () => {
    const stateDir = nextFolder();
    const ledger = openLedger(stateDir);
    const name = (kind: string, index: number): string => `ghcr.io/acme/${kind}-${index}`;
    const all = Array.from({ length: 20 }, (_, index) => index);
    const record = (kind: string, day: number) =>
      Promise.all(all.map((index) => ledger.record(name(kind, index), seen('1.0.0', day * dayMs), { signal })));
    await record('gone', 1);
    await record('kept', 1);
    // Nothing new is there: only that somebody looked.
    for (const day of [100, 200, 300, 390]) await record('kept', day);
    await record('new', 395);
    const knownOf = async (kind: string) => {
      const other = openLedger(stateDir);
      const counts = all.map(async (index) => (await other.read(name(kind, index), { signal })).get('1.0.0')?.seenMs);
      return (await Promise.all(counts)).filter((seenMs) => seenMs !== undefined);
    };
    assert.deepEqual(await knownOf('gone'), Array(20).fill(dayMs));
    await record('newer', 398);
    assert.deepEqual(await knownOf('gone'), []);
    assert.deepEqual(await knownOf('kept'), Array(20).fill(dayMs));
    assert.deepEqual(await knownOf('new'), Array(20).fill(395 * dayMs));
    assert.deepEqual(await knownOf('newer'), Array(20).fill(398 * dayMs));
  });

  it('forgets nothing that is watched where it begins a year later, or by a clock that is a year ahead', async () => {
    const stateDir = nextFolder();
    const names = Array.from({ length: 20 }, (_, index) => `ghcr.io/acme/${index}`);
    const recordAll = (ledger: Ledger, day: number, all: readonly string[]) =>
      Promise.all(all.map((name) => ledger.record(name, seen('1.0.0', day * dayMs), { signal })));
    await recordAll(openLedger(stateDir), 1, names);
    const later = openLedger(stateDir);
    await recordAll(later, 800, ['ghcr.io/acme/new', ...names]);
    await recordAll(later, 802, ['ghcr.io/acme/newer', ...names]);
    for (const name of names) assert.equal((await later.read(name, { signal })).get('1.0.0')?.seenMs, dayMs);
  });

  it('notes a look once a month at most', async () => {
    const stateDir = nextFolder();
    const ledger = openLedger(stateDir);
    const stampAfter = async (day: number): Promise<string | undefined> => {
      await ledger.record('ghcr.io/acme/web', seen('1.0.0', day * dayMs), { signal });
      const raw = open<string, string>({ path: join(stateDir, 'ledger.mdb'), noSubdir: true, encoding: 'string' });
      return raw.get('looked ghcr.io/acme/web');
    };
    const stamp = (day: number) => (day * dayMs).toString(36);
    assert.deepEqual(
      [await stampAfter(1), await stampAfter(30), await stampAfter(31), await stampAfter(2)],
      [stamp(1), stamp(1), stamp(31), stamp(31)],
    );
  });
});

const isTold =
  (message: RegExp, remedy = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof TallymanError && error.code === 'LedgerUnavailable', String(error));
    assert.match(error.message, message);
    assert.match(error.remedy, remedy);
    return true;
  };

describe('the LMDB ledger of a file that is none', () => {
  let whole: Buffer;
  let usedBytes = 0;
  before(async () => {
    const stateDir = nextFolder();
    const ledger = createLmdbLedger({ stateDir, clock });
    const many = Array.from({ length: 3000 }, (_, index) => ({ tag: `t${index}`, digest: undefined }));
    await ledger.record('ghcr.io/acme/web', { sightings: many, nowMs: 1 }, { signal });
    await ledger.close();
    const file = join(stateDir, 'ledger.mdb');
    whole = readFileSync(file);
    const descriptor = openSync(file, 'r');
    usedBytes = readUsedBytes(descriptor);
    closeSync(descriptor);
    assert.ok(usedBytes > 20_000 && usedBytes <= whole.length);
  });
  const rows: Record<string, { bytes: () => Buffer; found: RegExp }> = {
    'another file': {
      bytes: () => Buffer.from('# notes\n'.repeat(2000)),
      found: /it is no LMDB file, a whole ledger was wanted$/,
    },
    zeros: { bytes: () => Buffer.alloc(whole.length), found: /it is no LMDB file/ },
    'a few bytes': { bytes: () => whole.subarray(0, 100), found: /it is no LMDB file/ },
    'its first page': { bytes: () => whole.subarray(0, 4200), found: /its second page is damaged/ },
    'its first half': { bytes: () => whole.subarray(0, usedBytes / 2), found: /: \d+ bytes of \d+ are there/ },
    'all but the last byte in use': { bytes: () => whole.subarray(0, usedBytes - 1), found: /bytes of \d+ are there/ },
    'turned bits': {
      bytes: () => Buffer.from(whole.toString('latin1').replace(/t2000\t./, 't2000\t0'), 'latin1'),
      found: /what it has of "ghcr\.io\/acme\/web" is damaged \(its checksum is another\)/,
    },
  };
  for (const [name, { bytes, found }] of Object.entries(rows)) {
    it(`tells ${name}, and the way out of it`, async () => {
      const stateDir = nextFolder();
      const file = join(stateDir, 'ledger.mdb');
      const ledger = openLedger(stateDir);
      await ledger.record('ghcr.io/acme/other', seen('a'), { signal });
      await ledger.close();
      writeFileSync(file, bytes());
      const remedy = /^Stop Tallyman and put a backup of ".*ledger\.mdb" in its place, or remove it/;
      await assert.rejects(openLedger(stateDir).read('ghcr.io/acme/web', { signal }), isTold(found, remedy));
      await assert.rejects(
        openLedger(stateDir).record('ghcr.io/acme/web', seen('a'), { signal }),
        isTold(found, remedy),
      );
    });
  }

  it('takes a backup that is put in its place', async () => {
    const stateDir = nextFolder();
    await createLmdbLedger({ stateDir, clock }).read('ghcr.io/acme/web', { signal });
    const backup = nextFolder();
    const ledger = createLmdbLedger({ stateDir: backup, clock });
    await ledger.record('ghcr.io/acme/web', seen('a'), { signal });
    await ledger.close();
    copyFileSync(join(backup, 'ledger.mdb'), join(root, 'copy.mdb'));
    const restored = nextFolder();
    await createLmdbLedger({ stateDir: restored, clock }).close();
    rmSync(join(backup, 'ledger.mdb'));
    copyFileSync(join(root, 'copy.mdb'), join(backup, 'ledger.mdb'));
    assert.equal((await openLedger(backup).read('ghcr.io/acme/web', { signal })).size, 1);
  });

  it('begins with an empty file as with none', async () => {
    const stateDir = nextFolder();
    await openLedger(stateDir).record('ghcr.io/acme/web', seen('a'), { signal });
    const empty = nextFolder();
    const ledger = openLedger(empty);
    await ledger.read('ghcr.io/acme/web', { signal });
    await ledger.close();
    truncateSync(join(empty, 'ledger.mdb'));
    assert.equal((await openLedger(empty).record('ghcr.io/acme/web', seen('a'), { signal })).size, 1);
  });
});

/** In a process of its own, which a signal may end. */
async function runProgram(command: string, args: readonly string[]): Promise<{ status: number | null; said: string }> {
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawn(command, args, { stdio: [...stdio], timeout: 60_000, killSignal: 'SIGKILL' });
  let said = '';
  child.stdout?.on('data', (chunk) => {
    said += String(chunk);
  });
  const [status] = await once(child, 'close');
  return { status, said };
}

describe('the LMDB ledger without a place to write', () => {
  it('tells a folder that is none, and works once there is one', async () => {
    const stateDir = nextFolder();
    writeFileSync(stateDir, '');
    const ledger = openLedger(stateDir);
    const failed = ledger.read('ghcr.io/acme/web', { signal });
    await assert.rejects(
      failed,
      isTold(/^Cannot open ledger ".*ledger\.mdb": a part of the path is no folder$/, /stateDir/),
    );
    rmSync(stateDir);
    assert.equal((await ledger.record('ghcr.io/acme/web', seen('a'), { signal })).size, 1);
  });

  it('tells a folder that must not be written to', async () => {
    const stateDir = nextFolder();
    await createLmdbLedger({ stateDir: join(stateDir, 'x'), clock }).close();
    const ledger = openLedger(join(stateDir, 'ledger'));
    chmodSync(root, 0o555);
    // Root may write everywhere.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      await assert.rejects(ledger.read('ghcr.io/acme/web', { signal }), isTold(/: access is denied$/, /writable/));
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(root, 0o755);
    }
  });

  it('tells a disk that takes no more, keeps what it had, and goes on', async () => {
    const stateDir = nextFolder();
    // The shell's limit for files stands in for a full disk: 800 blocks of 1,024 bytes.
    const program = `
      const { createLmdbLedger } = await import('./src/ledger/lmdb-ledger.ts');
      const ledger = createLmdbLedger({ stateDir: process.argv[1], clock: { nowMs: Date.now, wallMs: Date.now } });
      const { signal } = new AbortController();
      const sightings = Array.from({ length: 1000 }, (_, index) => ({ tag: 't' + index, digest: undefined }));
      let taken = 0;
      let failure;
      for (let index = 0; index < 80; index += 1) {
        try {
          await ledger.record('ghcr.io/acme/' + index, { sightings, nowMs: 1 }, { signal });
          taken += 1;
        } catch (error) {
          failure = error;
        }
      }
      const still = await ledger.read('ghcr.io/acme/0', { signal });
      console.log(JSON.stringify({ taken, still: still.size, code: failure.code, message: failure.message }));
      await ledger.close();`;
    const limit = 'ulimit -f 800; exec "$0" --import tsx --input-type=module -e "$1" "$2"';
    const { status, said } = await runProgram('sh', ['-c', limit, process.execPath, program, stateDir]);
    assert.equal(status, 0);
    const { taken, still, code, message } = JSON.parse(said);
    assert.ok(taken > 3 && taken < 80, `${taken} were taken`);
    assert.deepEqual([still, code], [1000, 'LedgerUnavailable']);
    assert.match(
      message,
      /^Cannot write ledger ".*ledger\.mdb": the (?:disk failed or is full|file may grow no further), \d+ MB are free there$/,
    );
    const ledger = openLedger(stateDir);
    assert.equal((await ledger.record('ghcr.io/acme/0', seen('new'), { signal })).size, 1001);
    assert.ok(statSync(join(stateDir, 'ledger.mdb')).size > 100_000);
  });

  it('tells a disk that is full before there is a ledger, and works once there is room', async (t) => {
    const stateDir = nextFolder();
    mkdirSync(stateDir);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', stateDir]);
    if (mounted.status !== 0) return t.skip('a file system can be mounted by root alone');
    t.after(() => spawnSync('umount', ['--lazy', stateDir]));
    const program = `
      import { rmSync } from 'node:fs';
      const { createLmdbLedger } = await import('./src/ledger/lmdb-ledger.ts');
      const ledger = createLmdbLedger({ stateDir: process.argv[1], clock: { nowMs: Date.now, wallMs: Date.now } });
      const { signal } = new AbortController();
      const record = () => ledger.record('ghcr.io/acme/web', { sightings: [{ tag: 'a' }], nowMs: 1 }, { signal });
      const failed = await record().catch(({ code, message }) => [code, message]);
      rmSync(process.argv[1] + '/filler');
      const { size } = await record();
      console.log(JSON.stringify({ failed, size }));
      await ledger.close();`;
    for (const freeKb of [0, 4, 8, 32]) {
      writeFileSync(join(stateDir, 'filler'), Buffer.alloc((1024 - freeKb) * 1024));
      const args = ['--import', 'tsx', '--input-type=module', '-e', program, stateDir];
      const { status, said } = await runProgram(process.execPath, args);
      assert.equal(status, 0, `ended with ${freeKb} kB free`);
      const { failed, size } = JSON.parse(said);
      assert.equal(failed[0], 'LedgerUnavailable');
      assert.match(failed[1], /^Cannot open ledger ".*ledger\.mdb": the disk is full$/);
      assert.equal(size, 1);
      for (const name of readdirSync(stateDir)) rmSync(join(stateDir, name));
    }
  });
});

describe('the clock of the embedded ledger', () => {
  for (const [setMs, isTrusted] of [
    [0, true],
    [59_000, true],
    [-59_000, true],
    [100 * 3_600_000, false],
    [-3_600_000, false],
  ] as const)
    it(`is ${isTrusted ? '' : 'not '}trusted where the machine's was set by ${setMs / 1000} s`, async () => {
      const nowMs = clock.nowMs;
      const ledger = createLmdbLedger({ stateDir: nextFolder(), clock: { nowMs, wallMs: () => nowMs() + setMs } });
      if (isTrusted) assert.equal(await ledger.nowMs({ signal }), undefined);
      else
        await assert.rejects(ledger.nowMs({ signal }), {
          code: 'LedgerUnavailable',
          message: /clock was set/,
          remedy: setMs > 0 ? /remove ".*ledger\.mdb"/ : /restart Tallyman\.$/,
        });
    });
});
