import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import { indexPack } from '../../src/git/index-pack.ts';
import { createObject } from '../../src/git/object.ts';
import { commitFiles, makeBareRepo, manyFiles, runGit } from '../services/git-server.ts';
import { signal, withFolder } from './workshop.ts';

interface RawEntry {
  readonly type: number;
  /** What the header says; default: what there is. */
  readonly sizeBytes?: number;
  readonly base?: Buffer;
  readonly body: Buffer;
}

function formatEntry({ type, body, base, sizeBytes = body.length }: RawEntry): Buffer {
  const header = [(type << 4) | (sizeBytes & 15)];
  for (let rest = Math.floor(sizeBytes / 16); rest > 0; rest = Math.floor(rest / 128)) {
    header[header.length - 1] = (header.at(-1) ?? 0) | 0x80;
    header.push(rest & 0x7f);
  }
  return Buffer.concat([Buffer.from(header), base ?? Buffer.alloc(0), deflateSync(body)]);
}

/** A pack with its checksum; `count` is what it says that it holds. */
function formatPack(entries: readonly Buffer[], count = entries.length): Buffer {
  const header = Buffer.from('PACK\0\0\0\u0002\0\0\0\0', 'latin1');
  header.writeUInt32BE(count, 8);
  const body = Buffer.concat([header, ...entries]);
  return Buffer.concat([body, createHash('sha1').update(body).digest()]);
}

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) | 0x80, ...varint(Math.floor(value / 128))];
/** A delta that adds one letter to the end of its base. */
const growing = (from: number, letter: string): Buffer =>
  Buffer.from([...varint(from), ...varint(from + 1), 0xb0, from & 0xff, from >> 8, 1, letter.charCodeAt(0)]);
/** `back` bytes before the entry itself. */
function formatOffset(back: number): Buffer {
  const bytes = [back & 0x7f];
  for (let rest = Math.floor(back / 128); rest > 0; rest = Math.floor((rest - 1) / 128)) {
    rest -= 1;
    bytes.unshift((rest & 0x7f) | 0x80);
    rest += 1;
  }
  return Buffer.from(bytes);
}
const blob = (text: string): Buffer => formatEntry({ type: 3, body: Buffer.from(text) });
const refDelta = (base: string, delta: Buffer): Buffer =>
  formatEntry({ type: 7, base: Buffer.from(base, 'hex'), body: delta });
const oidOf = (text: string): string => createObject('blob', Buffer.from(text)).oid;

describe('index of a downloaded pack', () => {
  const sources: Record<string, (folder: string) => string> = {
    'whole objects': (folder) => makeBareRepo(folder, manyFiles(200)),
    'short chains': (folder) => {
      const repo = makeBareRepo(folder, manyFiles(200));
      for (let edit = 0; edit < 8; edit++)
        commitFiles(repo, { 'apps/0001/file-01.yaml': `${'same\n'.repeat(200)}${edit}` });
      runGit(repo, ['repack', '-a', '-d', '-f', '-q', '--depth=4']);
      return repo;
    },
    'long chains': (folder) => {
      const repo = makeBareRepo(folder, manyFiles(100));
      for (let edit = 0; edit < 12; edit++)
        commitFiles(repo, { 'apps/0001/file-01.yaml': `${'same\n'.repeat(200)}${edit}` });
      runGit(repo, ['gc', '-q', '--aggressive', '--prune=now']);
      return repo;
    },
    'deltas by id': (folder) => {
      const repo = makeBareRepo(folder, manyFiles(200));
      for (let edit = 0; edit < 8; edit++)
        commitFiles(repo, { 'apps/0001/file-01.yaml': `${'same\n'.repeat(200)}${edit}` });
      runGit(repo, ['-c', 'repack.useDeltaBaseOffset=false', 'repack', '-a', '-d', '-f', '-q', '--depth=30']);
      return repo;
    },
    'large files': (folder) => {
      const noise = randomBytes(1024 ** 2).toString('hex');
      return makeBareRepo(folder, { 'large.bin': noise + '0'.repeat(70 * 1024 ** 2), 'small.yaml': 'x' });
    },
  };
  for (const [name, make] of Object.entries(sources)) {
    it(`is the one that git makes, of ${name}`, () =>
      withFolder(async (folder) => {
        const repo = make(join(folder, 'x.git'));
        if (name === 'large files') runGit(repo, ['repack', '-a', '-d', '-q']);
        for (const file of readdirSync(join(repo, 'objects/pack')).filter((entry) => entry.endsWith('.pack'))) {
          const pack = readFileSync(join(repo, 'objects/pack', file));
          const indexed = await indexPack(pack, { signal });
          assert.deepEqual(indexed.index, readFileSync(join(repo, 'objects/pack', file.replace(/pack$/, 'idx'))));
          assert.equal(file, `pack-${indexed.checksum}.pack`);
          const small = { maxObjectBytes: 256 * 1024 ** 2, maxWorkBytes: 1e11, maxCachedBytes: 0 };
          assert.deepEqual((await indexPack(pack, { signal, limits: small })).index, indexed.index, 'without memory');
        }
      }));
  }

  it('resolves deltas whose base comes later, one after the other', async () => {
    const [a, ab, abc] = ['a', 'ab', 'abc'].map(oidOf);
    const pack = formatPack([refDelta(ab ?? '', growing(2, 'c')), refDelta(a ?? '', growing(1, 'b')), blob('a')]);
    const indexed = await indexPack(pack, { signal });
    assert.equal((await indexed.find(abc ?? ''))?.body.toString(), 'abc');
    assert.equal(await indexed.find('1'.repeat(40)), undefined);
  });

  it('adds the bases that a thin pack builds on, where they are what they are called', async () => {
    const base = createObject('blob', Buffer.from('a'));
    const pack = formatPack([refDelta(base.oid, growing(1, 'b')), refDelta(oidOf('ab'), growing(2, 'c'))]);
    const options = { signal, findBase: (oid: string) => (oid === base.oid ? base : undefined) };
    const indexed = await indexPack(pack, options);
    assert.equal((await indexed.find(oidOf('abc')))?.body.toString(), 'abc');
    const again = await indexPack(indexed.pack, { signal });
    assert.deepEqual([again.count, again.index, again.checksum], [3, indexed.index, indexed.checksum]);
    const other = { type: 'blob', body: Buffer.from('z') } as const;
    const wrong = indexPack(pack, { signal, findBase: () => other });
    await assert.rejects(wrong, { code: 'RepoInvalid', message: /content is another/ });
  });

  it('holds an empty pack', async () => assert.equal((await indexPack(formatPack([]), { signal })).count, 0));

  const cut: Record<string, () => Buffer> = {
    nothing: () => Buffer.alloc(0),
    'another file': () => Buffer.from(`PACX${'x'.repeat(100)}`),
    'an unknown version': () => {
      const pack = formatPack([blob('a')]);
      pack.writeUInt32BE(4, 4);
      return pack;
    },
    'a pack cut off': () => formatPack([blob('a'), blob('b')]).subarray(0, -1),
    'a changed byte': () => {
      const pack = formatPack([blob('a'.repeat(100))]);
      pack[20] = (pack[20] ?? 0) ^ 1;
      return pack;
    },
  };
  for (const [name, make] of Object.entries(cut)) {
    it(`takes ${name} for an answer that was lost`, () =>
      assert.rejects(indexPack(make(), { signal }), { code: 'RepoUnavailable' }));
  }

  const chain = (length: number): Buffer => {
    const entries = [blob('')];
    let text = '';
    for (let depth = 0; depth < length; depth++) {
      const delta = Buffer.from([...varint(text.length), ...varint(1), 1, 97 + (depth % 26)]);
      entries.push(refDelta(oidOf(text), delta));
      text = String.fromCharCode(97 + (depth % 26));
    }
    return formatPack(entries);
  };
  /** Each delta copies its base 200 times. */
  const bomb = (rounds: number): Buffer => {
    const entries = [blob('x'.repeat(50_000))];
    let [size, back] = [50_000, entries[0]?.length ?? 0];
    for (let round = 0; round < rounds; round++) {
      const copies = Array.from({ length: 20 }, () => [
        0xf0,
        size & 0xff,
        (size >> 8) & 0xff,
        (size >> 16) & 0xff,
      ]).flat();
      const body = Buffer.from([...varint(size), ...varint(size * 20), ...copies]);
      const entry = formatEntry({ type: 6, base: formatOffset(back), body });
      entries.push(entry);
      [size, back] = [size * 20, entry.length];
    }
    return formatPack(entries);
  };
  const hostile: Record<string, () => Buffer> = {
    'an object larger than it says': () =>
      formatPack([formatEntry({ type: 3, body: Buffer.from('abc'), sizeBytes: 2 })]),
    'an object smaller than it says': () =>
      formatPack([formatEntry({ type: 3, body: Buffer.from('abc'), sizeBytes: 4 })]),
    'a tree without end': () => formatPack([formatEntry({ type: 2, body: Buffer.from('a'), sizeBytes: 2 ** 40 })]),
    'a large file that is none': () =>
      formatPack([formatEntry({ type: 3, body: Buffer.from('a'), sizeBytes: 2 ** 30 })]),
    'a type that does not exist': () => formatPack([formatEntry({ type: 5, body: Buffer.from('a') })]),
    'more objects than it says': () => formatPack([blob('a'), blob('b')], 1),
    'fewer objects than it says': () => formatPack([blob('a'), blob('b'.repeat(100))], 3),
    'a number of objects that cannot be': () => formatPack([blob('a')], 0xffffffff),
    'bytes that do not inflate': () => formatPack([Buffer.from([0x35, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])]),
    'a delta without its base': () => formatPack([refDelta('1'.repeat(40), growing(1, 'b'))]),
    'a delta of itself': () => formatPack([refDelta(oidOf('ab'), growing(1, 'b'))]),
    'a delta between objects': () =>
      formatPack([blob('abc'), formatEntry({ type: 6, base: Buffer.from([3]), body: growing(3, 'x') })]),
    'a delta of before the start': () =>
      formatPack([formatEntry({ type: 6, base: Buffer.from([100]), body: growing(3, 'x') })]),
    'a delta for another base': () => formatPack([blob('abcd'), refDelta(oidOf('abcd'), growing(3, 'x'))]),
    'a chain without end': () => chain(4096),
    'deltas that unfold': () => bomb(5),
  };
  for (const [name, make] of Object.entries(hostile)) {
    it(`refuses ${name}`, () => assert.rejects(indexPack(make(), { signal }), { code: 'RepoInvalid' }));
  }

  it('bounds what it costs', async () => {
    const limits = { maxObjectBytes: 2 ** 28, maxWorkBytes: 10_000_000, maxCachedBytes: 1024 };
    const pack = bomb(2);
    await indexPack(bomb(1), { signal, limits });
    await assert.rejects(indexPack(pack, { signal, limits }), { code: 'RepoInvalid', message: /unfolds/ });
    assert.equal((await indexPack(chain(4095), { signal })).count, 4096);
  });

  /** Deltas before their bases, so that nothing is known until the last object: each makes `size` bytes in one way. */
  const backwards = (length: number, size: number, instructions: readonly number[]): Buffer => {
    const entries: Buffer[] = [blob('x'.repeat(size))];
    let base = 'x'.repeat(size);
    for (let depth = 0; depth < length; depth++) {
      const letter = String.fromCharCode(97 + (depth % 26));
      const body = Buffer.from([...varint(size), ...varint(size), 1, letter.charCodeAt(0), ...instructions]);
      entries.unshift(refDelta(oidOf(base), body));
      base = letter + base.slice(0, size - 1);
    }
    return formatPack(entries);
  };
  /** A copy of `bytes` from the base's start. */
  const copy = (bytes: number): number[] => [0xf0, bytes & 0xff, (bytes >> 8) & 0xff, (bytes >> 16) & 0xff];

  /** Turns that the event loop had while the pack was read. */
  async function countTurns(read: () => Promise<unknown>): Promise<number> {
    let turns = 0;
    let next = setImmediate(function count() {
      turns++;
      next = setImmediate(count);
    });
    try {
      await read();
      return turns;
    } finally {
      clearImmediate(next);
    }
  }

  const mebibyte = 1024 ** 2;
  const slow: Record<string, { pack: () => Buffer; turns: number }> = {
    'a chain that hangs on its last object': {
      pack: () => backwards(24, 2 * mebibyte, copy(2 * mebibyte - 1)),
      turns: 12,
    },
    'a delta of many small copies': {
      pack: () => backwards(1, mebibyte / 2, Array.from({ length: mebibyte / 2 - 1 }, () => [0x90, 1]).flat()),
      turns: 8,
    },
    'an object of many megabytes': {
      pack: () => backwards(1, 24 * mebibyte, [...copy(16 * mebibyte - 1), ...copy(8 * mebibyte - 1), 1, 97]),
      turns: 12,
    },
    'small objects in great number': {
      pack: () => formatPack(Array.from({ length: 8000 }, (_, index) => blob(String(index)))),
      turns: 7,
    },
  };
  for (const [name, { pack, turns }] of Object.entries(slow)) {
    it(`lets others have their turn while it reads ${name}`, async () => {
      const made = pack();
      const had = await countTurns(() => indexPack(made, { signal }));
      assert.ok(had >= turns, `${had} turns`);
    });
  }

  it('lets others have their turn while it adds bases', async () => {
    const size = 3 * mebibyte;
    const bases = Array.from({ length: 16 }, (_, index) => createObject('blob', Buffer.alloc(size, index)));
    const delta = Buffer.from([...varint(size), ...varint(1), 1, 97]);
    const pack = formatPack(bases.map(({ oid }) => refDelta(oid, delta)));
    const findBase = (oid: string) => bases.find((base) => base.oid === oid);
    const had = await countTurns(() => indexPack(pack, { signal, findBase }));
    assert.ok(had >= 8, `${had} turns`);
  });

  it('makes no more of a small pack than a small pack is good for', async () => {
    const huge = formatEntry({ type: 3, body: Buffer.from('a'), sizeBytes: 2 ** 31 });
    const found = indexPack(formatPack([huge]), { signal });
    await assert.rejects(found, { code: 'RepoInvalid', message: /unfolds to more than/ });
    const noise = formatEntry({ type: 3, body: randomBytes(2 * mebibyte) });
    // The same in a larger pack is looked at, and found to be no such file.
    await assert.rejects(indexPack(formatPack([noise, huge]), { signal }), {
      code: 'RepoInvalid',
      message: /bytes that it says/,
    });
  });

  it('stops when told to', () =>
    assert.rejects(indexPack(bomb(2), { signal: AbortSignal.abort(new Error('enough')) }), /enough/));

  it('stops amid a chain', async () => {
    const pack = backwards(24, 2 * mebibyte, copy(2 * mebibyte - 1));
    const ending = new AbortController();
    setImmediate(() => setImmediate(() => ending.abort(new Error('enough'))));
    await assert.rejects(indexPack(pack, { signal: ending.signal }), /enough/);
  });
});
