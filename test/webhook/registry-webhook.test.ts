import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { DeliveryResult } from '../../src/webhook/delivery.ts';
import { matchesHint } from '../../src/webhook/image-hint.ts';
import { readDelivery, type WebhookFormat } from '../../src/webhook/read-delivery.ts';
import { deliver, hexOf, hmacSha256, read, secret, secretInHeader } from './deliver.ts';

interface Case {
  readonly name: string;
  readonly registry: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly secret?: string;
  readonly rawBody?: string;
  readonly payload: unknown;
  readonly expect: { readonly registry?: string; readonly repository?: string; readonly status?: number };
}

const cases: readonly Case[] = JSON.parse(readFileSync('test/fixtures/cases/registry-webhook.json', 'utf8'));

const formats: Readonly<Record<string, WebhookFormat>> = {
  'docker.io': 'docker-hub',
  'ghcr.io': 'github',
  'quay.io': 'quay',
  harbor: 'harbor',
  acr: 'acr',
  'aliyun-acr': 'aliyun-acr',
  cloudevents: 'cloudevents',
  distribution: 'distribution',
  ecr: 'ecr',
};

/** Where our answer is another than the peer's, and why. `{image}`: the hint; else the kind, or the status. */
const decisions: Readonly<Record<string, { readonly answer: string; readonly why: string }>> = {
  'dockerhub missing tag': { answer: 'docker.io/acme/web', why: 'the tag is not read' },
  'missing type': { answer: 'docker.io/acme/web', why: 'the format belongs to the hook, not to the request' },
  'unknown type': { answer: 'none', why: 'the format belongs to the hook: the configuration refuses another' },
  'no handlers registered (require-secret with no secrets)': { answer: '400', why: 'every hook has a secret' },
  'ghcr action updated ignored (HTTP 400!)': {
    answer: 'ghcr.io/acme/web',
    why: 'a tag may have moved: asking is cheap',
  },
  'ghcr no tag': { answer: 'ghcr.io/acme/web', why: 'the tag is not read' },
  'ghcr ping event rejected (HTTP 400!)': { answer: 'ignored', why: 'a ping is no fault' },
  'ghcr push event rejected': { answer: '400', why: 'a push of commits, but without a ref' },
  'ghcr HMAC missing': { answer: '401', why: 'not genuine' },
  'ghcr HMAC without prefix': { answer: '401', why: 'not genuine' },
  'ghcr HMAC for other body': { answer: '401', why: 'not genuine' },
  'dockerhub secret wrong': { answer: '401', why: 'not genuine' },
  'harbor Authorization wrong': { answer: '401', why: 'not genuine' },
  'quay secret query wrong': { answer: '401', why: 'not genuine' },
  'acr Authorization missing': { answer: '401', why: 'not genuine' },
  'cloudevents secret missing': { answer: '401', why: 'not genuine' },
  'harbor bad content type': { answer: 'ignored', why: 'what the body is counts, not what it is called' },
  'acr bad content type': { answer: 'acme.azurecr.io/web', why: 'what the body is counts, not what it is called' },
  'quay no tags': { answer: 'ignored', why: 'nothing was pushed, which is no fault' },
  'acr delete ignored (HTTP 400!)': { answer: 'ignored', why: 'a deletion is no fault' },
  'aliyun no region -> empty registry accepted': { answer: 'any host/ns/web', why: 'an unknown host means any' },
  'ecr missing tag': { answer: '1.dkr.ecr.us-east-1.amazonaws.com/x', why: 'the tag is not read' },
};

const show = (result: DeliveryResult): string => {
  if (result.kind === 'images') return result.images.map(({ host, path }) => `${host ?? 'any host'}/${path}`).join(' ');
  return result.kind === 'refused' ? `${result.status}` : result.kind;
};

/** A case without a secret is proved as its format is. */
function replay({ registry, path, headers, secret: own, rawBody, payload }: Case): string {
  const format = formats[registry];
  if (format === undefined) return 'none';
  const body = rawBody ?? JSON.stringify(payload);
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const proof =
    own !== undefined
      ? {}
      : format === 'github'
        ? { 'x-hub-signature-256': `sha256=${hexOf(body)}` }
        : { 'x-webhook-secret': secretInHeader };
  const delivery = { headers: { ...lower, ...proof }, query: path.split('?')[1] ?? '', body: Buffer.from(body) };
  return show(readDelivery(delivery, { format, host: undefined, secret: own ?? secret, hmacSha256 }));
}

describe('deliveries that were seen at another controller', () => {
  const names = new Map<string, number>();
  for (const row of cases) {
    const count = (names.get(row.name) ?? 0) + 1;
    names.set(row.name, count);
    const { registry, repository, status } = row.expect;
    // Two cases are called the same.
    const decision = row.registry === 'cloudevents' && row.name === 'missing type' ? undefined : decisions[row.name];
    it(`${row.name}${decision === undefined ? '' : `: ${decision.why}`}`, () => {
      assert.equal(
        replay(row),
        decision?.answer ?? (repository === undefined ? `${status}` : `${registry}/${repository}`),
      );
    });
  }

  it('are all decided by a name that exists', () => {
    assert.deepEqual(
      Object.keys(decisions).filter((name) => !names.has(name)),
      [],
    );
    assert.ok(cases.length > 60);
  });
});

const toldInHeader = () => ({ authorization: `Bearer ${secretInHeader}` });
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
const event = (host: string, repository: string, more: object = {}) => ({
  action: 'push',
  target: { repository, mediaType: 'application/vnd.oci.image.index.v1+json', ...more },
  request: { host },
});
const signed = (name: string) => (body: string) => ({
  'x-github-event': name,
  'x-gitea-event': name,
  'x-hub-signature-256': `sha256=${hexOf(body)}`,
});

describe('registries', () => {
  const rows: readonly [name: string, format: WebhookFormat, payload: unknown, wanted: string][] = [
    [
      'every event of an envelope',
      'distribution',
      { events: [event('r.example', 'a/b'), event('r.example', 'a/c'), event('r.example', 'a/b')] },
      'r.example/a/b r.example/a/c',
    ],
    [
      'no blobs, pulls and deletions',
      'distribution',
      {
        events: [
          event('r.example', 'a/b', { mediaType: 'application/octet-stream' }),
          { ...event('r.example', 'a/b'), action: 'pull' },
        ],
      },
      'ignored',
    ],
    ['an empty envelope', 'distribution', { events: [] }, 'ignored'],
    [
      'a host that only the URL has',
      'distribution',
      { events: [{ action: 'push', target: { repository: 'a', url: 'https://r.example:5000/v2/a/manifests/x' } }] },
      'r.example:5000/a',
    ],
    ['a repository that is none', 'distribution', { events: [event('r.example', '../../etc')] }, '400'],
    ['too many events', 'distribution', { events: Array.from({ length: 1001 }, () => event('r.example', 'a')) }, '400'],
    ['an event that is null', 'distribution', { events: [null, 7] }, 'ignored'],
    [
      'every resource',
      'harbor',
      {
        type: 'PUSH_ARTIFACT',
        event_data: {
          resources: [{ resource_url: 'h.example/t/w:v1' }, { resource_url: 'h.example/t/w:v2' }],
          repository: { repo_full_name: 't/w' },
        },
      },
      'h.example/t/w',
    ],
    [
      'no host',
      'harbor',
      { type: 'PUSH_ARTIFACT', event_data: { resources: [{ tag: 'v1' }], repository: { repo_full_name: 't/w' } } },
      'any host/t/w',
    ],
    ['a scan', 'harbor', { type: 'SCANNING_COMPLETED' }, 'ignored'],
    [
      "Harbor's CloudEvent",
      'cloudevents',
      {
        specversion: '1.0',
        type: 'harbor.artifact.pushed',
        source: '/projects/1',
        data: { resources: [{ resource_url: 'h.example/t/w:v1' }], repository: { repo_full_name: 't/w' } },
      },
      'h.example/t/w',
    ],
    [
      "zot's CloudEvent",
      'cloudevents',
      { specversion: '1.0', type: 'zotregistry.image.updated', source: 'zot', data: { name: 'a/b' } },
      'any host/a/b',
    ],
    [
      "zot's deletion",
      'cloudevents',
      { specversion: '1.0', type: 'zotregistry.image.deleted', source: 'zot', data: { name: 'a/b' } },
      'ignored',
    ],
    [
      'an ARN of China',
      'cloudevents',
      {
        specversion: '1.0',
        type: 'com.amazon.ecr.image.push',
        source: 'arn:aws-cn:ecr:cn-north-1:12:repository/x',
        data: { repositoryName: 'x' },
      },
      '12.dkr.ecr.cn-north-1.amazonaws.com.cn/x',
    ],
    ['another CloudEvent', 'cloudevents', { specversion: '1.0', type: 'com.example.invoice' }, 'ignored'],
    [
      'a push subscription',
      'artifact-registry',
      {
        message: {
          data: base64({
            action: 'INSERT',
            digest: 'europe-docker.pkg.dev/p/r/web@sha256:ab',
            tag: 'europe-docker.pkg.dev/p/r/web:1.1',
          }),
        },
        subscription: 's',
      },
      'europe-docker.pkg.dev/p/r/web',
    ],
    [
      'a push subscription unwrapped',
      'artifact-registry',
      { action: 'INSERT', digest: 'gcr.io/p/web@sha256:ab' },
      'gcr.io/p/web',
    ],
    [
      'a deletion',
      'artifact-registry',
      { message: { data: base64({ action: 'DELETE', tag: 'gcr.io/p/web:1' }) } },
      'ignored',
    ],
    ['no base64', 'artifact-registry', { message: { data: '*' } }, '400'],
    ['a scan', 'ecr', { detail: { 'action-type': 'PUSH', result: 'FAILURE' } }, 'ignored'],
    [
      'China',
      'ecr',
      {
        account: '1',
        region: 'cn-north-1',
        detail: { 'action-type': 'PUSH', result: 'SUCCESS', 'repository-name': 'x' },
      },
      '1.dkr.ecr.cn-north-1.amazonaws.com.cn/x',
    ],
    [
      'by path and by host',
      'artifactory',
      {
        domain: 'docker',
        event_type: 'pushed',
        data: { repo_key: 'docker-local', image_name: 'acme/web', tag: '1' },
        jpd_origin: 'https://acme.jfrog.io',
      },
      'acme.jfrog.io/docker-local/acme/web docker-local.acme.jfrog.io/acme/web',
    ],
    ['a file', 'artifactory', { domain: 'artifact', event_type: 'deployed' }, 'ignored'],
    [
      'a component',
      'nexus',
      { action: 'CREATED', repositoryName: 'docker', component: { format: 'docker', name: 'acme/web', version: '1' } },
      'any host/acme/web any host/docker/acme/web',
    ],
    ['a jar', 'nexus', { action: 'CREATED', component: { format: 'maven2', name: 'x' } }, 'ignored'],
    ['an official image', 'docker-hub', { repository: { repo_name: 'nginx' } }, 'docker.io/library/nginx'],
    ['an address as a name', 'docker-hub', { repository: { repo_name: 'a/b:tag' } }, '400'],
    [
      'an injected host',
      'acr',
      { action: 'push', target: { repository: 'web' }, request: { host: 'a b' } },
      'any host/web',
    ],
  ];
  for (const [name, format, payload, wanted] of rows)
    it(`${format}: ${name}`, () => assert.equal(show(read(format, deliver(payload, toldInHeader))), wanted));

  const packages: readonly [name: string, format: WebhookFormat, event: string, payload: unknown, wanted: string][] = [
    [
      'a package',
      'gitea',
      'package',
      {
        action: 'created',
        package: {
          type: 'container',
          name: 'Web',
          owner: { login: 'Tally' },
          html_url: 'http://127.0.0.1:3000/tally/-/packages/container/web/1',
        },
      },
      '127.0.0.1:3000/tally/web',
    ],
    [
      'a deleted one',
      'gitea',
      'package',
      { action: 'deleted', package: { type: 'container', name: 'web' } },
      'ignored',
    ],
    ['another kind', 'gitea', 'package', { action: 'created', package: { type: 'npm', name: 'web' } }, 'ignored'],
    [
      'a registry package',
      'github',
      'registry_package',
      { action: 'published', registry_package: { package_type: 'CONTAINER', name: 'web', owner: { login: 'acme' } } },
      'ghcr.io/acme/web',
    ],
    [
      'another kind',
      'github',
      'package',
      { action: 'published', package: { package_type: 'npm', name: 'web' } },
      'ignored',
    ],
  ];
  for (const [name, format, kind, payload, wanted] of packages)
    it(`${format}: ${name}`, () => assert.equal(show(read(format, deliver(payload, signed(kind)))), wanted));

  it('are called as the configuration says', () => {
    const payload = { events: [event('registry:5000', 'a/b')] };
    assert.equal(
      show(read('distribution', deliver(payload, toldInHeader), 'Registry.example')),
      'registry.example/a/b',
    );
    const own = { action: 'published', package: { name: 'web', owner: { login: 'acme' } } };
    assert.equal(
      show(read('github', deliver(own, signed('package')), 'containers.ghe.example')),
      'containers.ghe.example/acme/web',
    );
  });

  it('are told of by the generic format too', () => {
    const sign = (body: string) => ({ 'x-signature-256': `sha256=${hexOf(body)}` });
    for (const image of ['ghcr.io/acme/web', 'ghcr.io/acme/web:1.4.2', 'ghcr.io/acme/web@sha256:ab'])
      assert.equal(show(read('generic', deliver({ image }, sign))), 'ghcr.io/acme/web');
    assert.equal(show(read('generic', deliver({ image: 'A B' }, sign))), '400');
  });

  it('send CloudEvents in binary mode too', () => {
    const headers = () => ({
      ...toldInHeader(),
      'ce-specversion': '1.0',
      'ce-type': 'zotregistry.image.updated',
      'ce-source': 'https://r.example',
    });
    assert.equal(show(read('cloudevents', deliver({ name: 'a/b' }, headers))), 'r.example/a/b');
  });
});

describe('the secret of a registry', () => {
  const push = { repository: { repo_name: 'acme/web' } };
  const basic = (password: string) => `Basic ${Buffer.from(`any:${password}`).toString('base64')}`;
  const ways: readonly [name: string, headers: Record<string, string>, query: string, wanted: string][] = [
    ['in the query', {}, `a=b&secret=${encodeURIComponent(secret)}`, 'docker.io/acme/web'],
    ['as the whole header', { authorization: secretInHeader }, '', 'docker.io/acme/web'],
    ['as a token', { authorization: `bearer ${secretInHeader}` }, '', 'docker.io/acme/web'],
    ['as a password', { authorization: basic(secret) }, '', 'docker.io/acme/web'],
    ['as a header of its own', { 'x-webhook-secret': secretInHeader }, '', 'docker.io/acme/web'],
    [
      'right in one place and wrong in another',
      { authorization: 'x', 'x-webhook-secret': secretInHeader },
      '',
      'docker.io/acme/web',
    ],
    ['wrong in all', { authorization: basic('other'), 'x-webhook-secret': '' }, 'secret=', '401'],
    ['as a password that is no base64', { authorization: 'Basic ***' }, '', '401'],
    ['nowhere', {}, '', '401'],
  ];
  for (const [name, headers, query, wanted] of ways)
    it(name, () =>
      assert.equal(
        show(
          read(
            'docker-hub',
            deliver(push, () => headers, { query }),
          ),
        ),
        wanted,
      ),
    );

  it('or a signature, of Artifactory', () => {
    const payload = { domain: 'docker', event_type: 'pushed', data: { image_name: 'web' } };
    for (const value of [(body: string) => hexOf(body), () => secretInHeader])
      assert.equal(
        show(
          read(
            'artifactory',
            deliver(payload, (body) => ({ 'x-jfrog-event-auth': value(body) })),
          ),
        ),
        'any host/web',
      );
    assert.equal(
      show(
        read(
          'artifactory',
          deliver(payload, () => ({ 'x-jfrog-event-auth': hexOf('') })),
        ),
      ),
      '401',
    );
  });
});

describe('matchesHint', () => {
  const web = { host: 'Harbor.example', path: 'acme/web' };
  for (const [host, path, wanted] of [
    ['harbor.example', 'acme/web', true],
    [undefined, 'acme/web', true],
    ['other.example', 'acme/web', false],
    [undefined, 'web', false],
  ] as const)
    it(`${host}/${path}: ${wanted}`, () => assert.equal(matchesHint({ host, path }, web), wanted));
});
