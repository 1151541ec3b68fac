import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatBranchRef } from '../../src/git/branch.ts';
import { formatCommit, parseCommitTree } from '../../src/git/commit.ts';
import { applyDelta } from '../../src/git/delta.ts';
import { fromHttpStatus, quoteServer, showUrl } from '../../src/git/errors.ts';
import { parseConfig } from '../../src/git/git-dir.ts';
import { createObject, formatLoose, parseLoose } from '../../src/git/object.ts';
import { createObjectStore } from '../../src/git/object-store.ts';
import { writeObjects, writePack } from '../../src/git/object-write.ts';
import { parsePackIndex } from '../../src/git/pack-index.ts';
import { formatPack } from '../../src/git/pack-write.ts';
import { encodePacket, flushPacket, parsePackets, splitSideBand } from '../../src/git/pkt-line.ts';
import { parseReport } from '../../src/git/send-pack.ts';
import { editTree, parseTree } from '../../src/git/tree.ts';
import { makeBareRepo, manyFiles, runGit } from '../services/git-server.ts';
import { signal, withFolder } from './workshop.ts';

describe('object', () => {
  it('is named as git names it', () => {
    assert.equal(createObject('blob', Buffer.from('hello\n')).oid, 'ce013625030ba8dba906f756967f9e9ca394464a');
    assert.equal(createObject('tree', Buffer.alloc(0)).oid, '4b825dc642cb6eb9a060e54bf8d69288fbee4904');
  });

  it('reads back its loose form, and only its size above the limit', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
        const blob = createObject('blob', bytes);
        assert.deepEqual(parseLoose(formatLoose(blob), 5000), { type: 'blob', body: Buffer.from(bytes) });
      }),
    );
    const large = createObject('blob', Buffer.alloc(5000, 'x'));
    assert.deepEqual(parseLoose(formatLoose(large), 4999), { type: 'blob', oversizedBytes: 5000 });
  });

  it('refuses loose bytes that are cut off or lie about their size', () => {
    const loose = formatLoose(createObject('blob', Buffer.from('some text that is long enough')));
    assert.throws(() => parseLoose(loose.subarray(0, -8), 100), { code: 'RepoInvalid' });
    assert.throws(() => parseLoose(Buffer.from('no zlib'), 100), { code: 'RepoInvalid' });
  });
});

describe('pkt-line', () => {
  it('frames text', () => assert.equal(encodePacket('hi\n').toString(), '0007hi\n'));
  for (const [name, text] of Object.entries({ 'cut off': '0009hi\n', 'no hex': 'zzzz', 'length 3': '0003' })) {
    it(`refuses what is ${name}`, () => {
      assert.throws(() => parsePackets(Buffer.from(text)), { code: 'RepoUnavailable' });
    });
  }
  it('splits the bands', () => {
    const bands = ['\u0001data', '\u0002Hello ', '\u0002you', '\u0003bad'].map((text) => encodePacket(text));
    const { data, progress, fatal } = splitSideBand(parsePackets(Buffer.concat(bands)));
    assert.deepEqual([data.toString(), progress, fatal], ['data', 'Hello you', 'bad']);
  });
});

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

describe('tree', () => {
  const blob = createObject('blob', Buffer.from('new')).oid;

  it('keeps order, modes and names that are not UTF-8', () => {
    const old = createObject('blob', Buffer.from('old')).oid;
    const entry = (mode: string, name: Buffer, oid: string): Buffer =>
      Buffer.concat([Buffer.from(`${mode} `), name, Buffer.from([0]), Buffer.from(oid, 'hex')]);
    const inner = createObject('tree', entry('100755', Buffer.from('run'), old));
    const root = createObject(
      'tree',
      Buffer.concat([
        entry('100644', Buffer.from([0x61, 0xff]), old),
        entry('100644', Buffer.from('a.b'), old),
        entry('40000', Buffer.from('a'), inner.oid),
        entry('120000', Buffer.from('é'), old),
      ]),
    );
    const readTree = (oid: string): Buffer => (oid === root.oid ? root : inner).body;
    const blobs = new Map([
      ['a/run', blob],
      ['a.b', blob],
    ]);
    const edited = editTree({ root: root.oid, blobs, readTree });
    assert.equal(edited.trees.length, 2);
    const entries = parseTree(edited.trees.find((tree) => tree.oid === edited.root)?.body ?? Buffer.alloc(0));
    assert.deepEqual(
      entries.map(({ mode, name }) => `${mode} ${name}`),
      ['100644 a\u00ff', '100644 a.b', '40000 a', '120000 Ã©'],
    );
    assert.deepEqual(
      entries.map(({ oid }) => oid === blob),
      [false, true, false, false],
    );
    for (const path of ['nope', 'a', 'é', 'a/run/deeper', 'x/y'])
      assert.throws(() => editTree({ root: root.oid, blobs: new Map([[path, blob]]), readTree }), {
        code: 'Internal',
      });
  });

  for (const name of ['..', '.', '.git', '.GIT', 'a/b', '']) {
    it(`refuses an entry named ${JSON.stringify(name)}`, () => {
      const body = Buffer.concat([Buffer.from(`100644 ${name}\0`), Buffer.alloc(20)]);
      assert.throws(() => parseTree(body), { code: 'RepoInvalid' });
    });
  }
  it('refuses a tree that is cut off', () => {
    assert.throws(() => parseTree(Buffer.from('100644 web.yaml\0short')), { code: 'RepoInvalid' });
  });
});

describe('commit', () => {
  it('is git commit-tree byte for byte', () =>
    withFolder((folder) => {
      const repo = makeBareRepo(folder, { 'a.yaml': 'a' });
      const tree = runGit(repo, ['rev-parse', 'main^{tree}']);
      const base = runGit(repo, ['rev-parse', 'main']);
      const made = createObject(
        'commit',
        formatCommit({
          tree,
          parents: [base],
          message: 'Größe\n\nBody',
          author: { name: 'Ada', email: 'ada@example.com' },
          whenMs: 1_700_000_000_999,
        }),
      );
      assert.equal(made.oid, runGit(repo, ['commit-tree', tree, '-p', base], 'Größe\n\nBody\n'));
      assert.equal(parseCommitTree(made.body), tree);
    }));
  it('lets no author write another header', () => {
    const evil = { name: 'A <b>\nparent x', email: 'e>\n' };
    const text = formatCommit({
      tree: 'a'.repeat(40),
      parents: [],
      message: 'x\0y',
      author: evil,
      whenMs: 0,
    }).toString();
    assert.equal(
      text,
      `tree ${'a'.repeat(40)}\nauthor A bparent x <e> 0 +0000\ncommitter A bparent x <e> 0 +0000\n\nxy\n`,
    );
  });
  it('has no tree, no commit', () =>
    assert.throws(() => parseCommitTree(Buffer.from('parent x')), { code: 'RepoInvalid' }));
});

describe('report', () => {
  const ref = 'refs/heads/main';
  const report = (...lines: string[]): Buffer =>
    Buffer.concat([...lines.map((line) => encodePacket(`${line}\n`)), flushPacket]);
  const rows: Record<string, [string[], string]> = {
    accepted: [['unpack ok', `ok ${ref}`], 'accepted'],
    'a lost race': [['unpack ok', `ng ${ref} failed to update ref`], 'moved'],
    'a lock': [['unpack ok', `ng ${ref} cannot lock ref 'refs/heads/main': is at`], 'moved'],
    'fetch first': [['unpack ok', `ng ${ref} fetch first`], 'moved'],
    'a hook': [['unpack ok', `ng ${ref} pre-receive hook declined`], 'refused'],
    'a protected branch': [['unpack ok', `ng ${ref} protected branch hook declined`], 'refused'],
    'a full disk': [['unpack unpack-objects abnormal exit'], 'refused'],
  };
  for (const [name, [lines, kind]] of Object.entries(rows)) {
    it(`reads ${name}`, () => assert.equal(parseReport(report(...lines), ref, false).kind, kind));
  }
  it('is lost where it says nothing of the branch', () => {
    assert.throws(() => parseReport(report('unpack ok', 'ok refs/heads/other'), ref, false), {
      code: 'RepoUnavailable',
    });
    assert.throws(() => parseReport(Buffer.alloc(0), ref, true), { code: 'RepoUnavailable' });
  });
  it("quotes the hook's words from the side-band", () => {
    const inner = report('unpack ok', `ng ${ref} pre-receive hook declined`).toString('latin1');
    const bytes = Buffer.concat([
      encodePacket('\u0002\u001b[31mNo Friday\u001b[0m\n'),
      encodePacket(`\u0001${inner}`),
      flushPacket,
    ]);
    assert.deepEqual(parseReport(bytes, ref, true), {
      kind: 'refused',
      reason: 'pre-receive hook declined: No Friday',
    });
  });
});

describe('words for people', () => {
  it('never hold user information', () => {
    assert.equal(showUrl('https://me:pw@git.example.com/a.git?x#y'), 'https://git.example.com/a.git');
    assert.equal(showUrl('nonsense://me:p w@host/x').includes('p w'), false);
    assert.equal(quoteServer('see https://me:p@w@host/x'), 'see https://host/x');
    assert.equal(quoteServer('x'.repeat(1000)).length, 300);
  });
  const statuses: [number, string, string][] = [
    [401, 'git-upload-pack', 'RepoDenied'],
    [403, 'git-upload-pack', 'RepoDenied'],
    [403, 'git-receive-pack', 'PushRejected'],
    [404, 'git-upload-pack', 'RepoInvalid'],
    [429, 'git-upload-pack', 'RepoUnavailable'],
    [502, 'git-receive-pack', 'RepoUnavailable'],
    [400, 'git-upload-pack', 'RepoInvalid'],
  ];
  for (const [status, service, code] of statuses) {
    it(`HTTP ${status} of ${service} is ${code}`, () =>
      assert.equal(fromHttpStatus(status, { url: 'u', service }).code, code));
  }
});

describe('branch names and configuration', () => {
  it('are checked as git checks them', () => {
    for (const branch of ['main', 'feature/x', 'a.b', 'ünïcode', 'v1@2']) {
      assert.equal(formatBranchRef(branch), `refs/heads/${branch}`);
      runGit('/', ['check-ref-format', `refs/heads/${branch}`]);
    }
    for (const branch of [
      '',
      '-x',
      'a..b',
      'a b',
      'a.lock',
      'a/',
      '/a',
      'a//b',
      '.a',
      'a/.b',
      'a~1',
      'a^',
      'a:b',
      'a\\b',
      'a@{1}',
      '@',
      'a\u007f',
    ])
      assert.throws(() => formatBranchRef(branch), { code: 'RepoInvalid' }, branch);
  });
  it('reads what git config writes', () => {
    const config = parseConfig(
      '[core]\n\tbare = true ; why\n\tworktree = "/a b"\n[remote "core"]\n\tbare = x\n[Extensions] objectFormat=sha256\n',
    );
    assert.deepEqual(
      [config.get('core.bare'), config.get('core.worktree'), config.get('extensions.objectformat')],
      ['true', '/a b', 'sha256'],
    );
  });
});
