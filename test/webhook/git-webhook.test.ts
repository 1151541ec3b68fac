import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { WebhookFormat } from '../../src/webhook/read-delivery.ts';
import { deliver, hexOf, read, secretInHeader } from './deliver.ts';

type Headers = (body: string) => Record<string, string>;

interface GitFormat {
  readonly event: (name: string) => Record<string, string>;
  readonly sign: Headers;
  readonly wrong: Headers;
  readonly push: Record<string, unknown>;
  readonly urls: readonly string[];
}

const commit = 'ab'.repeat(20);
const githubRepository = {
  full_name: 'acme/déploy',
  clone_url: 'https://git.example/acme/deploy.git',
  ssh_url: 'git@git.example:acme/deploy.git',
  html_url: 'https://git.example/acme/deploy',
  default_branch: 'main',
};
const githubUrls = [githubRepository.clone_url, githubRepository.ssh_url, githubRepository.html_url];
const push = {
  ref: 'refs/heads/main',
  before: commit,
  after: commit,
  repository: githubRepository,
  pusher: { name: 'Zoë ☃' },
};

const formats: Readonly<Record<'github' | 'gitlab' | 'gitea' | 'generic', GitFormat>> = {
  github: {
    event: (name) => ({ 'x-github-event': name }),
    sign: (body) => ({ 'x-hub-signature-256': `sha256=${hexOf(body)}` }),
    wrong: (body) => ({ 'x-hub-signature-256': `sha256=${hexOf(body, 'other')}` }),
    push: { ...push, deleted: false },
    urls: githubUrls,
  },
  gitlab: {
    event: () => ({ 'x-gitlab-event': 'Push Hook' }),
    sign: () => ({ 'x-gitlab-token': secretInHeader }),
    wrong: () => ({ 'x-gitlab-token': `${secretInHeader}x` }),
    push: {
      object_kind: 'push',
      ref: 'refs/heads/main',
      after: commit,
      project: {
        git_http_url: 'https://git.example/acme/deploy.git',
        git_ssh_url: 'git@git.example:acme/deploy.git',
        web_url: 'https://git.example/acme/deploy',
        default_branch: 'main',
      },
      repository: { git_http_url: 'https://git.example/acme/deploy.git', url: 'ssh://git@git.example/acme/deploy.git' },
    },
    urls: [...githubUrls.slice(0, 2), 'https://git.example/acme/deploy', 'ssh://git@git.example/acme/deploy.git'],
  },
  gitea: {
    event: (name) => ({ 'x-gitea-event': name, 'x-github-event': name }),
    sign: (body) => ({ 'x-gitea-signature': hexOf(body) }),
    wrong: (body) => ({ 'x-gitea-signature': hexOf(`${body} `) }),
    push,
    urls: githubUrls,
  },
  generic: {
    event: () => ({}),
    sign: (body) => ({ 'x-signature-256': `sha256=${hexOf(body)}` }),
    wrong: (body) => ({ 'x-signature-256': hexOf(body) }),
    push: { repository: 'https://git.example/acme/deploy.git', ref: 'refs/heads/main' },
    urls: githubUrls.slice(0, 1),
  },
};

const kindOf = (format: WebhookFormat, payload: unknown, headers: Headers, contentType?: string): string => {
  const type = contentType === undefined ? {} : { 'content-type': contentType };
  const result = read(
    format,
    deliver(payload, (body) => ({ ...headers(body), ...type })),
  );
  return result.kind === 'refused' ? `${result.status} ${result.reason}` : result.kind;
};

for (const [name, { event, sign, wrong, push, urls }] of Object.entries(formats)) {
  const format = name as keyof typeof formats;
  const signed: Headers = (body) => ({ ...event('push'), ...sign(body) });

  describe(`a webhook of ${format}`, () => {
    it('tells of a push, and the same again when it is sent again', () => {
      const delivery = deliver(push, signed);
      const result = read(format, delivery);
      const defaultBranch = format === 'generic' ? undefined : 'main';
      assert.deepEqual(result, { kind: 'push', repoUrls: urls, branch: 'main', defaultBranch });
      assert.deepEqual(read(format, delivery), result);
    });

    it('is refused without a proof, and with a wrong one, whatever the body is', () => {
      for (const body of [push, 'no JSON', ''])
        assert.equal(
          kindOf(format, body, () => event('push')),
          '401 signature or secret is missing',
        );
      assert.equal(
        kindOf(format, push, (body) => ({ ...event('push'), ...wrong(body) })),
        '401 signature or secret is wrong',
      );
      assert.match(
        kindOf(format, push, (body) => ({ ...event('push'), ...sign(body.slice(1)), ...wrong(body) })),
        /^401/,
      );
    });

    it('is refused where the body is no object, not UTF-8, or has no bottom', () => {
      const deep = `${'{"a":'.repeat(60)}1${'}'.repeat(60)}`;
      for (const body of ['', 'no JSON', '[]', 'null', '"push"', '{"a":', deep, `{"a":${'['.repeat(100_000)}`])
        assert.equal(kindOf(format, body, signed), '400 the body is no JSON object in UTF-8', body.slice(0, 20));
      const latin = Buffer.from('{"ref":"é"}', 'latin1');
      const header =
        format === 'gitlab'
          ? sign('')
          : Object.fromEntries(
              Object.entries(sign('')).map(([key, value]) => [key, value.replace(/[0-9a-f]{64}$/, hexOf(latin))]),
            );
      const delivery = { headers: { ...event('push'), ...header }, query: '', body: latin };
      assert.equal(read(format, delivery).kind, 'refused');
    });

    it('is refused where members are missing, or of another type', () => {
      const others = [
        {},
        { ref: 5, object_kind: 7, repository: [] },
        { ref: 'refs/heads/main', object_kind: 'push', repository: 'x'.repeat(3000) },
      ];
      for (const payload of others)
        assert.match(kindOf(format, payload, signed), /^400/, JSON.stringify(payload).slice(0, 80));
      const inherited =
        '{"object_kind":"push","ref":"refs/heads/main","repository":{"__proto__":{"clone_url":"https://x.example/a"}}}';
      assert.match(kindOf(format, inherited, signed), /^400/);
    });

    it('is refused where its body is longer than 1 MiB', () => {
      assert.match(kindOf(format, { ...push, filler: 'x'.repeat(1024 * 1024) }, signed), /^413/);
    });

    it('is ignored for a tag', () => {
      assert.equal(kindOf(format, { ...push, ref: 'refs/tags/v1' }, signed), 'ignored');
    });
  });
}

describe('what is ignored', () => {
  const rows: readonly [format: WebhookFormat, what: string, headers: Record<string, string>, payload: object][] = [
    ['github', 'a ping', { 'x-github-event': 'ping' }, { zen: 'Design for failure.', hook_id: 1 }],
    ['github', 'another event', { 'x-github-event': 'issues' }, { action: 'opened' }],
    ['github', 'a deleted branch', { 'x-github-event': 'push' }, { ...push, deleted: true, after: '0'.repeat(40) }],
    ['gitea', 'another event', { 'x-gitea-event': 'delete' }, { ref: 'main', ref_type: 'branch' }],
    ['gitea', 'a deleted branch', { 'x-forgejo-event': 'push' }, { ...push, after: '0'.repeat(40) }],
    ['gitea', 'a deleted branch of SHA-256', { 'x-gogs-event': 'push' }, { ...push, after: '0'.repeat(64) }],
    ['gitlab', 'a tag', {}, { ...formats.gitlab.push, object_kind: 'tag_push', ref: 'refs/tags/v1' }],
    ['gitlab', 'a merge request', {}, { object_kind: 'merge_request' }],
    ['gitlab', 'another system hook', {}, { event_name: 'project_create' }],
    ['gitlab', 'a deleted branch', {}, { ...formats.gitlab.push, after: '0'.repeat(40) }],
  ];
  for (const [format, what, headers, payload] of rows)
    it(`${format}: ${what}`, () => {
      const { sign } = formats[format as keyof typeof formats];
      assert.equal(
        kindOf(format, payload, (body) => ({ ...headers, ...sign(body) })),
        'ignored',
      );
    });
});

describe('other forms', () => {
  it('are forms of HTML, signed as they travel', () => {
    const form = `payload=${encodeURIComponent(JSON.stringify(push))}`;
    const type = 'application/x-www-form-urlencoded';
    for (const format of ['github', 'gitea'] as const) {
      const headers: Headers = (body) => ({ ...formats[format].event('push'), ...formats[format].sign(body) });
      assert.equal(kindOf(format, form, headers, type), 'push');
      assert.match(kindOf(format, 'payload=%7B', headers, type), /^400/);
      assert.match(kindOf(format, 'other=1', headers, type), /^400/);
    }
  });

  it('are the headers of Forgejo, Gogs and of Gitea as GitHub', () => {
    const rows: readonly [event: string, header: string, prefix: string][] = [
      ['x-forgejo-event', 'x-forgejo-signature', ''],
      ['x-gogs-event', 'x-gogs-signature', ''],
      ['x-gitea-event', 'x-hub-signature-256', 'sha256='],
    ];
    for (const [event, header, prefix] of rows)
      assert.equal(
        kindOf('gitea', push, (body) => ({ [event]: 'push', [header]: `${prefix}${hexOf(body)}` })),
        'push',
      );
  });

  it('are a system hook of GitLab, and a generic one that names no branch or a bare one', () => {
    const { object_kind: _kind, ...system } = formats.gitlab.push;
    assert.equal(kindOf('gitlab', { ...system, event_name: 'push' }, formats.gitlab.sign), 'push');
    const generic = (ref?: string) =>
      read('generic', deliver({ repository: 'https://x.example/a', ref }, formats.generic.sign));
    for (const [ref, branch] of [
      [undefined, undefined],
      ['main', 'main'],
      ['refs/heads/a/b', 'a/b'],
    ] as const)
      assert.deepEqual(generic(ref), {
        kind: 'push',
        repoUrls: ['https://x.example/a'],
        branch,
        defaultBranch: undefined,
      });
  });

  it('are no two signatures in one header, and none with other digits', () => {
    const { event, sign } = formats.github;
    for (const change of [
      (text: string) => `${text}, ${text}`,
      (text: string) => text.slice(0, -1),
      (text: string) => text.replace('sha256', 'sha1'),
      () => 'sha256=',
    ])
      assert.match(
        kindOf('github', push, (body) => ({
          ...event('push'),
          'x-hub-signature-256': change(sign(body)['x-hub-signature-256'] ?? ''),
        })),
        /^401/,
      );
    assert.equal(
      kindOf('github', push, (body) => ({
        ...event('push'),
        'x-hub-signature-256': `sha256=${hexOf(body).toUpperCase()}`,
      })),
      'push',
    );
  });
});
