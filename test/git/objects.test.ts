import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatCommit, parseCommitTree } from '../../src/git/commit.ts';
import { createObject, formatLoose, parseLoose } from '../../src/git/object.ts';
import { editTree, parseTree } from '../../src/git/tree.ts';
import { makeBareRepo, runGit } from '../services/git-server.ts';
import { withFolder } from './workshop.ts';

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
