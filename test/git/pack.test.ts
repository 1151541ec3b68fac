import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { applyDelta } from '../../src/git/delta.ts';
import { createObject } from '../../src/git/object.ts';
import { createObjectStore } from '../../src/git/object-store.ts';
import { writeObjects, writePack } from '../../src/git/object-write.ts';
import { parsePackIndex } from '../../src/git/pack-index.ts';
import { formatPack } from '../../src/git/pack-write.ts';
import { makeBareRepo, manyFiles, runGit } from '../services/git-server.ts';
import { signal, withFolder } from './workshop.ts';

describe('delta', () => {
  const base = Buffer.from('0123456789');
  it('copies and inserts', () => {
    const delta = Buffer.from([10, 5, 0b10010001, 7, 3, 2, 65, 66]);
    assert.equal(applyDelta(base, delta).toString(), '789AB');
  });
  for (const [name, delta] of Object.entries({
    'another base': [9, 1, 1, 65],
    'a copy behind the end': [10, 3, 0b10010001, 9, 3],
    'an early end': [10, 5, 1, 65],
    'more than it says': [10, 1, 2, 65, 66],
    'the reserved instruction': [10, 1, 0],
  })) {
    it(`refuses ${name}`, () => assert.throws(() => applyDelta(base, Buffer.from(delta)), { code: 'RepoInvalid' }));
  }
});

describe('pack', () => {
  const objects = ['', 'one', 'x'.repeat(15), 'y'.repeat(16), 'z'.repeat(70_000)].map((text) =>
    createObject('blob', Buffer.from(text)),
  );

  it('is one that git accepts, with the index git would make', () =>
    withFolder((folder) => {
      makeBareRepo(folder, {});
      const formatted = formatPack(objects);
      writePack(join(folder, 'objects'), formatted);
      runGit(folder, ['verify-pack', join(folder, 'objects', 'pack', `pack-${formatted.checksum}.idx`)]);
      writeFileSync(join(folder, 'again.pack'), formatted.pack);
      runGit(folder, ['index-pack', 'again.pack']);
      assert.deepEqual(readFileSync(join(folder, 'again.idx')), formatted.index);
      for (const { oid, body } of objects) assert.equal(runGit(folder, ['cat-file', 'blob', oid]), body.toString());
    }));

  it('is found by its index, nothing else is', () => {
    const { index, pack } = formatPack(objects);
    const parsed = parsePackIndex(index);
    for (const { oid } of objects) assert.ok((parsed.find(oid) ?? 0) >= 12);
    assert.equal(parsed.find('0'.repeat(40)), undefined);
    assert.equal(parsed.find('f'.repeat(40)), undefined);
    assert.equal(parsed.findEnd(parsed.find(objects.at(-1)?.oid ?? '') ?? 0, pack.length), pack.length - 20);
  });

  it('refuses a damaged index', () => {
    const { index } = formatPack(objects);
    index[1100] = (index[1100] ?? 0) ^ 1;
    assert.throws(() => parsePackIndex(index), { code: 'RepoInvalid' });
  });
});

describe('object store', () => {
  const limits = { maxBytes: 1_000_000, signal };
  const long = Array.from({ length: 200 }, (_, index) => `line ${index * 7919}\n`).join('');
  const twins = Array.from({ length: 40 }, (_, index) => [
    `twins/${index}.yaml`,
    `${long}version: 1.0.${index}\n${long}`,
  ]);
  const files = {
    ...manyFiles(300),
    ...Object.fromEntries(twins),
    'large.bin': 'L'.repeat(2_000_000),
    'empty.yaml': '',
  };

  it('reads what git wrote: packed with deltas, loose, and through alternates', () =>
    withFolder(async (folder) => {
      const packed = makeBareRepo(join(folder, 'packed.git'), files);
      runGit(packed, ['gc', '-q', '--aggressive']);
      const deep = makeBareRepo(join(folder, 'deep.git'), files);
      const loose = makeBareRepo(join(folder, 'loose.git'), {});
      const [pack = ''] = readdirSync(join(packed, 'objects/pack')).filter((name) => name.endsWith('.pack'));
      runGit(loose, ['unpack-objects', '-q'], readFileSync(join(packed, 'objects/pack', pack)));
      const borrowing = makeBareRepo(join(folder, 'borrowing.git'), {});
      mkdirSync(join(borrowing, 'objects/info'), { recursive: true });
      writeFileSync(join(borrowing, 'objects/info/alternates'), `${join(packed, 'objects')}\n`);
      const chains = (repo: string): string => {
        const folder = join(repo, 'objects/pack');
        return runGit(folder, ['verify-pack', '-v', ...readdirSync(folder).filter((name) => name.endsWith('.idx'))]);
      };
      assert.ok(/chain length = [1-9]/.test(chains(packed)) && /chain length = 4\d/.test(chains(deep)), 'deltas');
      const listed = runGit(packed, ['ls-tree', '-r', '--format=%(objectname) %(path)', 'main']).split('\n');
      for (const repo of [packed, deep, loose, borrowing]) {
        const store = createObjectStore(join(repo, 'objects'));
        const blobs = await store.readBlobs(
          listed.map((line) => line.slice(0, 40)),
          limits,
        );
        for (const line of listed) {
          const path = line.slice(41);
          const wanted = path === 'large.bin' ? undefined : (files as Record<string, string>)[path];
          assert.equal(blobs.get(line.slice(0, 40))?.toString(), wanted, `${repo} ${path}`);
        }
        assert.equal(store.has('0'.repeat(40)), false);
        await assert.rejects(store.readBlobs(['0'.repeat(40)], limits), { code: 'RepoInvalid' });
        store.close();
      }
    }));

  it('sees objects that appear later, and those that gc moves into a pack', () =>
    withFolder((folder) => {
      const repo = makeBareRepo(folder, manyFiles(60));
      const store = createObjectStore(join(repo, 'objects'));
      const blob = createObject('blob', Buffer.from('late'));
      assert.equal(store.find(blob.oid, 100), undefined);
      writeObjects(join(repo, 'objects'), [blob]);
      runGit(repo, ['update-ref', 'refs/tags/keep', blob.oid]);
      runGit(repo, ['gc', '-q']);
      assert.deepEqual(store.find(blob.oid, 100), { type: 'blob', body: blob.body });
      store.close();
    }));

  it('reports a damaged pack, and stops when told to', () =>
    withFolder(async (folder) => {
      const repo = makeBareRepo(folder, manyFiles(300));
      const [pack = ''] = readdirSync(join(repo, 'objects/pack')).filter((name) => name.endsWith('.pack'));
      const file = join(repo, 'objects/pack', pack);
      const oids = runGit(repo, ['ls-tree', '-r', '--format=%(objectname)', 'main']).split('\n');
      const store = createObjectStore(join(repo, 'objects'));
      await assert.rejects(
        store.readBlobs(oids, { ...limits, signal: AbortSignal.abort(new Error('enough')) }),
        /enough/,
      );
      const bytes = readFileSync(file);
      bytes.fill(0, 200, bytes.length - 20);
      writeFileSync(`${file}.new`, bytes);
      renameSync(`${file}.new`, file);
      const damaged = createObjectStore(join(repo, 'objects'));
      await assert.rejects(damaged.readBlobs(oids, limits), { code: 'RepoInvalid' });
      damaged.close();
      store.close();
    }));
});
