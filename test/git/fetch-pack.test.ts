import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type FetchRequest, fetchPack, findAbilities } from '../../src/git/fetch-pack.ts';
import { createObject } from '../../src/git/object.ts';
import { formatPack } from '../../src/git/pack-write.ts';
import { encodePacket, flushPacket, packetText, parsePackets } from '../../src/git/pkt-line.ts';
import type { GitTransport } from '../../src/git/transport.ts';
import { commitFiles, manyFiles, runGit } from '../services/git-server.ts';
import { failureOf, fsck, type Scene, withScene } from './remote-scene.ts';
import { oidOf, signal } from './workshop.ts';

const [tip, old] = ['1'.repeat(40), '2'.repeat(40)];
const pack = formatPack([createObject('blob', Buffer.from('x'))]).pack;

/** What the answer holds, and the request as lines. */
async function exchange(
  answer: Buffer,
  { version2, words, request = {} }: { version2: boolean; words: string[]; request?: Partial<FetchRequest> },
) {
  const lines: string[] = [];
  const transport: GitTransport = {
    shownUrl: 'https://git.example.com/x',
    advertise: () => assert.fail('asked again'),
    async exchange(_service, body, options) {
      assert.equal(options.version2, version2);
      lines.push(...parsePackets(body).map((packet) => (packet.kind === 'data' ? packetText(packet) : packet.kind)));
      return Buffer.from(answer);
    },
    close: async () => undefined,
  };
  const server = { version2, capabilities: new Set(words), refs: new Map() };
  const wanted = { wants: [tip], haves: [], shallow: [], ...request };
  return { answer: await fetchPack({ transport, server }, wanted, { signal }), lines };
}

const packet = (text: string): Buffer => encodePacket(text);
const banded = (band: number, bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from((bytes.length + 5).toString(16).padStart(4, '0')), Buffer.from([band]), bytes]);
const everything = { haves: [old], shallow: [old], depth: 3, filter: 'blob:none' } as const;

describe('download of a pack', () => {
  it('is asked for in version 2 with what the server can do', async () => {
    const answer = Buffer.concat([
      packet('shallow-info\n'),
      packet(`shallow ${tip}\n`),
      packet(`unshallow ${old}\n`),
      Buffer.from('0001'),
      packet('packfile\n'),
      banded(2, Buffer.from('Counting')),
      banded(1, pack.subarray(0, 10)),
      banded(1, pack.subarray(10)),
      flushPacket,
    ]);
    const words = ['fetch=shallow filter', 'object-format=sha1'];
    const done = await exchange(answer, { version2: true, words, request: everything });
    assert.deepEqual(done.answer, { pack, shallow: [tip], filtered: true });
    assert.deepEqual(done.lines.slice(0, 4), ['command=fetch', 'agent=tallyman/0.1', 'object-format=sha1', 'delim']);
    assert.deepEqual(done.lines.slice(4), [
      ...['ofs-delta', 'no-progress', 'thin-pack', `want ${tip}`, `shallow ${old}`, 'deepen 3', 'filter blob:none'],
      ...[`have ${old}`, 'done', 'flush'],
    ]);
    const bare = await exchange(answer, { version2: true, words: ['fetch'], request: everything });
    assert.deepEqual(bare.answer.filtered, false);
    assert.deepEqual(bare.lines.slice(4), ['no-progress', 'thin-pack', `want ${tip}`, `have ${old}`, 'done', 'flush']);
  });

  it('is asked for before version 2 in one round', async () => {
    const answer = Buffer.concat([
      packet(`shallow ${tip}\n`),
      flushPacket,
      packet(`ACK ${old} common\n`),
      packet(`ACK ${old}\n`),
      banded(1, pack),
      flushPacket,
    ]);
    const words = ['multi_ack', 'side-band-64k', 'shallow', 'filter', 'thin-pack', 'agent=git/2'];
    const done = await exchange(answer, { version2: false, words, request: everything });
    assert.deepEqual(done.answer, { pack, shallow: [tip], filtered: true });
    assert.deepEqual(done.lines, [
      `want ${tip} multi_ack thin-pack side-band-64k shallow filter agent=tallyman/0.1`,
      ...[`shallow ${old}`, 'deepen 3', 'filter blob:none', 'flush', `have ${old}`, 'done'],
    ]);
    const plain = await exchange(Buffer.concat([packet('NAK\n'), pack]), { version2: false, words: [] });
    assert.deepEqual(plain.answer.pack, pack, 'without side-bands');
    assert.deepEqual(plain.lines, [`want ${tip}`, 'flush', 'done']);
  });

  const failures: Record<string, [Buffer, string, RegExp]> = {
    'nothing at all': [Buffer.alloc(0), 'RepoUnavailable', /no pack/],
    'no pack': [packet('NAK\n'), 'RepoUnavailable', /no pack/],
    'a cut packet': [packet('NAK\n').subarray(0, 6), 'RepoUnavailable', /cut off/],
    'an unknown commit': [packet('ERR upload-pack: not our ref 111'), 'RepoInvalid', /not our ref 111/],
    'an error of JGit': [packet(`ERR want ${tip} not valid`), 'RepoInvalid', /not valid/],
    'another error': [packet('ERR access denied'), 'RepoUnavailable', /access denied/],
    'a fatal error half-way': [
      Buffer.concat([banded(1, pack.subarray(0, 9)), banded(3, Buffer.from('aborting due to corruption'))]),
      'RepoUnavailable',
      /corruption/,
    ],
  };
  for (const [name, [answer, code, message]] of Object.entries(failures)) {
    it(`fails with ${name}`, () =>
      assert.rejects(exchange(answer, { version2: true, words: ['fetch'] }), { code, message }));
  }

  it('knows what a server can do', () => {
    const of = (version2: boolean, ...words: string[]) =>
      findAbilities({ version2, capabilities: new Set(words), refs: new Map() });
    assert.deepEqual(of(true, 'fetch=shallow wait-for-done'), { shallow: true, filter: false, wantsAny: true });
    assert.deepEqual(of(false, 'shallow', 'filter'), { shallow: true, filter: true, wantsAny: false });
    assert.equal(of(false, 'allow-reachable-sha1-in-want').wantsAny, true);
  });
});

describe('download from a server', () => {
  /** Answers each download with these bytes instead of the pack. */
  const replacePack = ({ server }: Scene, bytes: Buffer): void => {
    server.intercept = (request, response) => {
      delete request.headers['git-protocol'];
      if (request.method !== 'POST' || !request.url?.endsWith('upload-pack')) return false;
      request.resume();
      response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-result' });
      response.end(Buffer.concat([packet('NAK\n'), banded(1, bytes), flushPacket]));
      return true;
    };
  };
  const broken = Buffer.from(pack);
  broken[15] = (broken[15] ?? 0) ^ 1;
  const packs: Record<string, [Buffer, string]> = {
    'is cut off': [pack.subarray(0, 25), 'RepoUnavailable'],
    'was damaged on the way': [broken, 'RepoUnavailable'],
    'lacks the commit': [pack, 'RepoInvalid'],
  };
  for (const [name, [bytes, code]] of Object.entries(packs)) {
    it(`leaves the clone as it was where the pack ${name}`, () =>
      withScene(async (scene) => {
        const other = scene.open({ stateDir: `${scene.state}-other` });
        const repo = scene.open();
        const version0: Scene['server']['intercept'] = (request) => {
          delete request.headers['git-protocol'];
          return false;
        };
        scene.server.intercept = version0;
        const first = await repo.fetch({ signal });
        const next = commitFiles(scene.bare, { 'apps.yaml': 'next' });
        replacePack(scene, bytes);
        assert.equal((await failureOf(repo.fetch({ signal }))).code, code);
        assert.equal((await failureOf(other.fetch({ signal }))).code, code);
        assert.deepEqual(readdirSync(`${scene.state}-other`), []);
        assert.equal((await repo.readBlobs([oidOf(first, 'apps.yaml')], { signal })).size, 1);
        scene.server.intercept = version0;
        assert.equal((await repo.fetch({ signal })).commit, next);
        fsck(scene);
      }));
  }

  it('clears away what a process left that was killed while it wrote', () =>
    withScene(async (scene) => {
      await scene.open().fetch({ signal });
      const clone = join(scene.state, readdirSync(scene.state)[0] ?? '');
      const left = ['objects/pack/tmp_pack_1', 'objects/pack/tmp_idx_1', '.tmp-1', 'refs/heads/.tmp-2'];
      for (const name of left) writeFileSync(join(clone, name), 'half');
      // Its pack without an index, and a boundary that is none.
      writeFileSync(join(clone, 'objects/pack', `pack-${tip}.pack`), 'PACK');
      writeFileSync(join(clone, 'shallow'), `${tip}\n`);
      const next = commitFiles(scene.bare, { 'apps.yaml': 'next' });
      assert.equal((await scene.open().fetch({ signal })).commit, next);
      const names = readdirSync(clone, { recursive: true, encoding: 'utf8' });
      assert.deepEqual(
        names.filter((name) => /tmp/.test(name)),
        [],
      );
      assert.equal(runGit(clone, ['log', '--format=%H', 'main']).split('\n')[0], next);
      fsck(scene);
    }));

  for (const kind of ['blob:none', 'tree']) {
    it(`goes without a filter that the server does not allow: ${kind}`, () =>
      withScene(async (scene) => {
        const { bare, open } = scene;
        runGit(bare, ['config', 'uploadpack.allowFilter', 'true']);
        runGit(bare, ['config', `uploadpackfilter.${kind}.allow`, 'false']);
        const branch = commitFiles(bare, { 'a.yaml': '1' }, { branch: 'x', message: 'Other' });
        const main = commitFiles(bare, { 'apps.yaml': 'two' });
        const repo = open();
        await repo.fetch({ signal });
        assert.match((await repo.readCommit(branch, { signal })).message, /Other/);
        const { commits, complete } = await repo.listCommits(main, { count: 10, signal });
        assert.deepEqual([commits.length, complete], [2, true]);
        fsck(scene);
      }));
  }

  for (const version of [0, 2]) {
    it(`brings what is new alone, in version ${version}`, () =>
      withScene(async (scene) => {
        if (version === 0)
          scene.server.intercept = (request) => {
            delete request.headers['git-protocol'];
            return false;
          };
        commitFiles(scene.bare, { 'apps/0000/file-01.yaml': 'x' });
        const repo = scene.open();
        await repo.fetch({ signal });
        const clone = join(scene.state, readdirSync(scene.state)[0] ?? '');
        const known = new Set(readdirSync(join(clone, 'objects/pack')));
        const text = manyFiles(1)['apps/0000/file-00.yaml'] ?? '';
        const files = { 'apps/0000/file-00.yaml': text.replace('1.0.0', '1.0.1'), 'apps/0001/new.yaml': 'new' };
        const tip = commitFiles(scene.bare, files);
        const snapshot = await repo.fetch({ signal });
        assert.deepEqual([snapshot.commit, snapshot.files.length], [tip, 201]);
        const added = readdirSync(join(clone, 'objects/pack')).filter(
          (name) => !known.has(name) && name.endsWith('.idx'),
        );
        const [index = ''] = added;
        const lines = runGit(clone, ['show-index'], readFileSync(join(clone, 'objects/pack', index))).split('\n');
        // Commit, three folders, two files, and what their deltas build on.
        assert.ok(lines.length >= 6 && lines.length <= 12, `${lines.length} objects`);
        const oid = oidOf(snapshot, 'apps/0000/file-00.yaml');
        assert.match((await repo.readBlobs([oid], { signal })).get(oid)?.toString() ?? '', /1\.0\.1/);
        assert.deepEqual(readFileSync(join(clone, 'shallow'), 'utf8').split('\n').length, 2);
        fsck(scene);
      }, manyFiles(200)));
  }

  it('is small for a branch that was rewritten on another past', () =>
    withScene(async (scene) => {
      const repo = scene.open();
      await repo.fetch({ signal });
      for (let edit = 0; edit < 5; edit++)
        commitFiles(scene.bare, { 'apps.yaml': `${edit}` }, { branch: 'other', rewrite: edit === 0 });
      runGit(scene.bare, ['update-ref', 'refs/heads/main', 'refs/heads/other']);
      const snapshot = await repo.fetch({ signal });
      assert.deepEqual(
        snapshot.files.map((file) => file.path),
        ['apps.yaml'],
      );
      const clone = join(scene.state, readdirSync(scene.state)[0] ?? '');
      assert.equal(runGit(clone, ['rev-list', '--count', 'main']), '1');
      fsck(scene);
    }));
});
