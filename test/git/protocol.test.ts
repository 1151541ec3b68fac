import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatBranchRef } from '../../src/git/branch.ts';
import { fromHttpStatus, quoteServer, showUrl } from '../../src/git/errors.ts';
import { parseConfig } from '../../src/git/git-dir.ts';
import { encodePacket, flushPacket, parsePackets, splitSideBand } from '../../src/git/pkt-line.ts';
import { parseReport } from '../../src/git/send-pack.ts';
import { runGit } from '../services/git-server.ts';

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
      remedy: 'Read what the server’s hook says, and let it accept the commits of the bot user.',
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
