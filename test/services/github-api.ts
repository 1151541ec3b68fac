/**
 * A fake of the calls of GitHub's REST API that deal with pull requests, for `acme/deploy`.
 * Source: GitHub's REST API, "List pull requests", "Create a pull request", "Update a pull request", "Create an issue
 * comment"; the texts of the errors as github.com gives them.
 */
import { createFakeForge, type FakeForge, type FakeRequest } from './fake-forge.ts';
import { type JsonRequest, type JsonResponse, type JsonServer, startJsonServer, takePage } from './json-server.ts';

export type GithubApi = JsonServer & FakeForge;

export async function startGithubApi(): Promise<GithubApi> {
  const forge = createFakeForge();
  const server = await startJsonServer((request) => answer(request, { forge, url: () => server.url }));
  return { ...forge, ...server };
}

interface Serving {
  readonly forge: FakeForge;
  url(): string;
}

const fail = (status: number, message: string, errors?: readonly object[]): JsonResponse => ({
  status,
  body: {
    message,
    ...(errors && { errors }),
    documentation_url: 'https://docs.github.com/rest',
    status: String(status),
  },
});
const notFound = fail(404, 'Not Found');

function answer(request: JsonRequest, serving: Serving): JsonResponse {
  const { authorization } = request.headers;
  if (authorization !== undefined && authorization !== `Bearer ${serving.forge.token}`)
    return fail(401, 'Bad credentials');
  // A private repository is not there for those who may not see it.
  if (authorization === undefined) return notFound;
  const [, kind = '', number, rest] =
    /^\/repos\/acme\/deploy\/(pulls|issues)(?:\/(\d+)(?:\/(comments))?)?$/.exec(request.path) ?? [];
  const route = `${request.method} ${kind}${number === undefined ? '' : '/n'}${rest === undefined ? '' : `/${rest}`}`;
  if (route === 'GET pulls') return list(request, serving);
  if (route === 'POST pulls') return create(request, serving);
  const found = serving.forge.find(Number(number));
  if (found === undefined) return notFound;
  if (route === 'PATCH pulls/n') return update(found, request, serving);
  if (route !== 'POST issues/n/comments') return notFound;
  found.comments.push(String(request.body?.body));
  return { status: 201, body: { id: found.comments.length, body: request.body?.body } };
}

function list({ query, path }: JsonRequest, { forge, url }: Serving): JsonResponse {
  const state = query.get('state') ?? 'open';
  const [base, head] = [query.get('base'), query.get('head')];
  const found = forge.pullRequests
    .filter((request) => state === 'all' || (request.state === 'open') === (state === 'open'))
    .filter((request) => base === null || request.base === base)
    .filter((request) => head === null || head === `${ownerOf(request)}:${request.head}`)
    .reverse();
  const { items, headers } = takePage(found, query, `${url()}${path}`);
  return { status: 200, headers, body: items.map((request) => show(request, url())) };
}

function create({ body = {} }: JsonRequest, { forge, url }: Serving): JsonResponse {
  const [head, base] = [String(body.head), String(body.base)];
  const invalid = (error: object): JsonResponse =>
    fail(422, 'Validation Failed', [{ resource: 'PullRequest', ...error }]);
  if (!forge.branches.has(head)) return invalid({ field: 'head', code: 'invalid' });
  if (!forge.branches.has(base)) return invalid({ field: 'base', code: 'invalid' });
  if (forge.branches.get(head) === forge.branches.get(base))
    return invalid({ code: 'custom', message: `No commits between ${base} and ${head}` });
  const known = forge.pullRequests.some(
    (request) => request.state === 'open' && request.head === head && request.base === base,
  );
  if (known) return invalid({ code: 'custom', message: `A pull request already exists for acme:${head}.` });
  const opened = forge.open({ title: String(body.title), body: String(body.body), head, base });
  return { status: 201, body: show(opened, url()) };
}

function update(found: FakeRequest, { body = {} }: JsonRequest, { url }: Serving): JsonResponse {
  if (typeof body.title === 'string') found.title = body.title;
  if (typeof body.body === 'string') found.body = body.body;
  if (body.state === 'closed' && found.state === 'open') found.state = 'closed';
  return { status: 200, body: show(found, url()) };
}

const ownerOf = ({ isFromFork }: FakeRequest): string => (isFromFork ? 'mallory' : 'acme');

function show(request: FakeRequest, url: string): object {
  const { number, title, body, state, head, base, sha, squash } = request;
  const repo = (owner: string): object => ({ id: 1, name: 'deploy', full_name: `${owner}/deploy`, private: true });
  return {
    url: `${url}/repos/acme/deploy/pulls/${number}`,
    id: 1000 + number,
    html_url: `https://github.com/acme/deploy/pull/${number}`,
    number,
    state: state === 'open' ? 'open' : 'closed',
    locked: false,
    title,
    user: { login: 'tallyman[bot]', id: 7 },
    body: body === '' ? null : body,
    created_at: '2026-01-01T00:00:00Z',
    closed_at: state === 'open' ? null : '2026-01-02T00:00:00Z',
    merged_at: state === 'merged' ? '2026-01-02T00:00:00Z' : null,
    // Of one that is not merged: a merge that GitHub tries.
    merge_commit_sha: squash ?? sha.replace(/^0/, 'f'),
    draft: false,
    head: { label: `${ownerOf(request)}:${head}`, ref: head, sha, repo: repo(ownerOf(request)) },
    base: { label: `acme:${base}`, ref: base, sha: '0'.repeat(40), repo: repo('acme') },
  };
}
