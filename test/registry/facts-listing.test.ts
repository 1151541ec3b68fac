import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { actOut, type Behaviour, complain, type Play, type Reply, type Scene } from './act-out.ts';
import { makeTags } from './open-registry.ts';

const path = '/v2/acme/web/tags/list';
const gives = (tags: readonly string[]) => async (scene: Scene) => assert.deepEqual(await scene.list(), tags);

/** Tags with the answer's other headers. */
const page = (tags: unknown, link?: string): Reply => ({
  json: { name: 'acme/web', tags },
  ...(link !== undefined && { headers: { link } }),
});

/** Pages by the query that they are asked for with; another query is not found. */
const byQuery =
  (pages: Readonly<Record<string, Reply>>): Behaviour =>
  ({ query }) =>
    pages[decodeURIComponent(String(query))] ?? complain(404, 'PAGE_UNKNOWN');

/** The requests' queries, in order. */
const queries = ({ calls }: Scene): string[] => calls.map(({ query }) => decodeURIComponent(String(query)));

const versions = ['1.0', '1.1', '1.10', '1.2', '1.9', '2.0', 'latest', 'nightly'];
const order: Play[] = [
  {
    fact: '17',
    name: 'tags come in lexical order, so all of them are read: the newest is on no certain page',
    registry: ({ query }) => {
      const rest = versions.filter((tag) => tag > (query.get('last') ?? ''));
      const last = rest[2];
      return page(rest.slice(0, 3), rest.length > 3 ? `<${path}?n=3&last=${last}>; rel="next"` : undefined);
    },
    client: gives(versions),
  },
];

const ecrRefusal = complain(
  405,
  'UNSUPPORTED',
  "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 1000'",
);

/** Refuses an `n` above `most`, as ECR and an old Quay do; without `n`, 50 on a page. */
function refuseAbove(most: number, refusal: Reply): Behaviour {
  return ({ query }) => {
    if (Number(query.get('n')) > most) return refusal;
    const from = Number(query.get('next_page') ?? 0);
    const size = Number(query.get('n') ?? 50);
    const next = from + size < 120 ? `<${path}?next_page=${from + size}>; rel="next"` : undefined;
    return page(makeTags(120).slice(from, from + size), next);
  };
}

const sizes: Play[] = [
  {
    fact: '18',
    name: 'ECR refuses n above 1000 with 405, so no more is asked for',
    registry: refuseAbove(1000, ecrRefusal),
    client: async (scene) => {
      await gives(makeTags(120))(scene);
      assert.equal(scene.calls[0]?.query.get('n'), '1000');
    },
  },
  {
    fact: '18',
    name: 'a proxy before ECR with a lower limit answers 405, and is asked without n',
    registry: refuseAbove(100, ecrRefusal),
    client: async (scene) => {
      await gives(makeTags(120))(scene);
      assert.deepEqual(queries(scene), ['n=1000', '', 'next_page=50', 'next_page=100']);
    },
  },
  {
    fact: '18',
    name: 'an old Quay refuses n above 100 with 400, and is asked without n',
    registry: refuseAbove(100, complain(400, 'PAGINATION_NUMBER_INVALID')),
    client: gives(makeTags(120)),
  },
  {
    fact: '18',
    name: 'ACR and Quay send fewer than were asked for, with a link',
    registry: ({ query }) => {
      const from = Number(query.get('last')?.slice(1) ?? 0);
      const tags = makeTags(100, from + 1);
      return page(tags, from < 300 ? `<${path}?last=${tags.at(-1)}&n=100&orderby=>; rel="next"` : undefined);
    },
    client: gives(makeTags(400)),
  },
];

const opaque = 'next_page=gAAAAABl%2Bz_3Q%3D%3D&n=1000';
const onward: [name: string, link: string, query: string][] = [
  ['the opaque one of Quay', `<${path}?${opaque}>; rel="next"`, decodeURIComponent(opaque)],
  ['one without brackets (old Quay and zot)', `${path}?n=1000&last=b; rel="next"`, 'n=1000&last=b'],
  ['one whose relation has no quotes', `<${path}?n=1000&last=b>; rel=next`, 'n=1000&last=b'],
  ['one whose cursor is not the last tag', `<${path}?n=1000&last=zz>; rel="next"`, 'n=1000&last=zz'],
];

const truncated = (message: RegExp, calls: number) => async (scene: Scene) => {
  await assert.rejects(scene.list(), { code: 'ListingTruncated', message });
  assert.equal(scene.calls.length, calls);
};

const links: Play[] = [
  ...onward.map(([name, link, query]) => ({
    fact: '19',
    name: `the link is followed as it stands: ${name}`,
    registry: byQuery({ 'n=1000': page(['a', 'b'], link), [query]: page(['c']) }),
    client: gives(['a', 'b', 'c']),
  })),
  {
    fact: '19',
    name: 'the link is sent back byte by byte, whatever is encoded in it',
    registry: ({ query }) => (query.has('next_page') ? page(['b']) : page(['a'], `<${path}?${opaque}>; rel="next"`)),
    client: async (scene) => {
      await gives(['a', 'b'])(scene);
      assert.equal(scene.server.requests[1]?.url, `${path}?${opaque}`);
    },
  },
  {
    fact: '19',
    name: 'a link to another host is refused, and gets no request',
    registry: () => page(['a'], '<https://evil.example/v2/acme/web/tags/list?last=a>; rel="next"'),
    client: async (scene) => {
      const message = /link to the next page leads to "https:\/\/evil\.example"/;
      await assert.rejects(scene.list(), { code: 'RegistryInvalid', message });
    },
  },
  {
    fact: '19',
    name: 'a page that links to itself truncates the list',
    registry: () => page(['a'], `<${path}?n=1000>; rel="next"`),
    client: truncated(/points back to one already read/, 1),
  },
  {
    fact: '19',
    name: 'an empty page with the same cursor truncates the list',
    registry: ({ query }) => page(query.has('last') ? [] : ['a'], `<${path}?n=1000&last=a>; rel="next"`),
    client: truncated(/points back to one already read/, 2),
  },
  {
    fact: '19',
    name: 'an empty page with a new cursor is read over',
    registry: byQuery({
      'n=1000': page(['a'], `<${path}?n=1000&last=a>; rel="next"`),
      'n=1000&last=a': page([], `<${path}?n=1000&last=b>; rel="next"`),
      'n=1000&last=b': page(['c']),
    }),
    client: gives(['a', 'c']),
  },
  {
    fact: '19',
    name: 'more pages than are read are an error, not a list without newer tags',
    settings: () => ({ maxPages: 3 }),
    registry: ({ query }) => {
      const next = Number(query.get('last') ?? 0) + 1;
      return page([`1.${next}`], `<${path}?n=1000&last=${next}>; rel="next"`);
    },
    client: truncated(/more pages than 3, the whole list was wanted/, 4),
  },
];

/** Nexus before 3.64: a full page has no link. `all` tags, `n` at a time. */
const nexus =
  (all: readonly string[]): Behaviour =>
  ({ query }) =>
    page(all.filter((tag) => tag > (query.get('last') ?? '')).slice(0, Number(query.get('n'))));

const managers: Play[] = [
  {
    fact: '20',
    name: 'Artifactory’s link lacks the repository: only its cursor is taken over',
    registry: byQuery({
      'n=1000': page(['a', 'b'], '</v2/tags/list?last=b&n=1000>; rel="next"'),
      'n=1000&last=b': page(['c']),
    }),
    client: async (scene) => {
      await gives(['a', 'b', 'c'])(scene);
      assert.deepEqual(new Set(scene.asked()), new Set([`GET ${path} -`]));
    },
  },
  {
    fact: '20',
    name: 'Nexus has no link: a full page is followed by its last tag',
    registry: nexus(makeTags(2500)),
    client: async (scene) => {
      await gives(makeTags(2500))(scene);
      assert.deepEqual(queries(scene), ['n=1000', 'n=1000&last=t1000', 'n=1000&last=t2000']);
    },
  },
  {
    fact: '20',
    name: 'Nexus with just a full page is asked once more',
    registry: nexus(makeTags(1000)),
    client: gives(makeTags(1000)),
  },
];

const hex = 'c'.repeat(64);
const dirty: [name: string, tags: unknown, kept: string[], dropped: number][] = [
  ['Nexus sends null among the tags', ['1.0', null, '1.1'], ['1.0', '1.1'], 1],
  ['Artifactory sends digests as tags', ['1.0', `sha256:${hex}`], ['1.0'], 1],
  ['null stands for no tags', null, [], 0],
  ['tags of signatures are no versions', ['1.0', `sha256-${hex}.sig`, `sha256-${hex}.att`], ['1.0'], 2],
  ['tags of referrers are no versions', ['1.0', `sha256-${hex}`, `sha256-${hex}.sbom`], ['1.0'], 2],
];

const contents: Play[] = [
  ...dirty.map(([name, tags, kept, dropped]) => ({
    fact: '21',
    name: `${name}: ${dropped} dropped and counted`,
    registry: () => page(tags),
    client: async (scene: Scene) => {
      await gives(kept)(scene);
      const counts = scene.events.flatMap((event) => (event.kind === 'dropped-tags' ? event.count : []));
      assert.deepEqual(counts, dropped === 0 ? [] : [dropped]);
    },
  })),
  {
    fact: '22',
    name: 'GCR sends upload times with the one page of its list',
    registry: () => ({
      json: {
        child: ['base'],
        manifest: {
          [`sha256:${hex}`]: { tag: ['1.0', 'latest'], timeCreatedMs: '0', timeUploadedMs: '1735689600000' },
          [`sha256:${'d'.repeat(64)}`]: { tag: [], timeCreatedMs: '0', timeUploadedMs: '1735689600001' },
        },
        name: 'acme/web',
        tags: ['1.0', 'latest'],
      },
    }),
    client: async ({ client, repository, signal, calls }) => {
      const { tags, pushedMs } = await client.listTags(repository, { signal });
      assert.deepEqual(tags, ['1.0', 'latest']);
      const uploadedMs = Date.UTC(2025, 0);
      assert.deepEqual(
        pushedMs,
        new Map([
          ['1.0', uploadedMs],
          ['latest', uploadedMs],
        ]),
      );
      assert.equal(calls.length, 1);
    },
  },
];

describe('facts about tag lists', () => actOut([...order, ...sizes, ...links, ...managers, ...contents]));
