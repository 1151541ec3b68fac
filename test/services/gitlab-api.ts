/**
 * A fake of the calls of GitLab's REST API that deal with merge requests, for `acme/infra/deploy`.
 * Source: GitLab's REST API, "List project merge requests", "Create MR", "Update MR" and "Create new merge request note";
 * the texts of the errors as gitlab.com gives them.
 */
import { createFakeForge, type FakeForge, type FakeRequest } from './fake-forge.ts';
import { type JsonRequest, type JsonResponse, type JsonServer, startJsonServer, takePage } from './json-server.ts';

export type GitlabApi = JsonServer & FakeForge;

export async function startGitlabApi(): Promise<GitlabApi> {
  const forge = createFakeForge();
  const server = await startJsonServer((request) => answer(request, { forge, url: () => server.url }));
  return { ...forge, ...server };
}

interface Serving {
  readonly forge: FakeForge;
  url(): string;
}

const fail = (status: number, message: unknown): JsonResponse => ({ status, body: { message } });
const notFound = fail(404, '404 Project Not Found');
const project = 42;

function answer(request: JsonRequest, serving: Serving): JsonResponse {
  const { authorization } = request.headers;
  if (authorization !== undefined && authorization !== `Bearer ${serving.forge.token}`)
    return {
      status: 401,
      body: { error: 'invalid_token', error_description: 'Token was revoked. You have to re-authorize from the user.' },
    };
  if (authorization === undefined) return notFound;
  const match = /^\/api\/v4\/projects\/acme%2Finfra%2Fdeploy\/merge_requests(?:\/(\d+)(?:\/(notes))?)?$/.exec(
    request.path,
  );
  if (match === null) return notFound;
  const [, number, rest] = match;
  const route = `${request.method} ${number === undefined ? '' : 'n'}${rest === undefined ? '' : `/${rest}`}`;
  if (route === 'GET ') return list(request, serving);
  if (route === 'POST ') return create(request, serving);
  const found = serving.forge.find(Number(number));
  if (found === undefined) return fail(404, '404 Not found');
  if (route === 'PUT n') return update(found, request);
  if (route !== 'POST n/notes') return fail(404, '404 Not found');
  found.comments.push(String(request.body?.body));
  return { status: 201, body: { id: found.comments.length, body: request.body?.body, system: false } };
}

const stateNames = { open: 'opened', closed: 'closed', merged: 'merged' } as const;

function list({ query, path }: JsonRequest, { forge, url }: Serving): JsonResponse {
  const [state, source, target] = [query.get('state') ?? 'all', query.get('source_branch'), query.get('target_branch')];
  const found = forge.pullRequests
    .filter((request) => state === 'all' || stateNames[request.state] === state)
    .filter((request) => source === null || request.head === source)
    .filter((request) => target === null || request.base === target)
    .reverse();
  const { items, headers } = takePage(found, query, `${url()}${path}`);
  return { status: 200, headers, body: items.map(show) };
}

function create({ body = {} }: JsonRequest, { forge }: Serving): JsonResponse {
  const missing = ['source_branch', 'target_branch', 'title'].filter((name) => typeof body[name] !== 'string');
  if (missing.length > 0)
    return { status: 400, body: { error: missing.map((name) => `${name} is missing`).join(', ') } };
  const [head, base] = [String(body.source_branch), String(body.target_branch)];
  if (!forge.branches.has(head)) return fail(422, ['Source branch "does not exist"']);
  const known = forge.pullRequests.find(
    (request) => request.state === 'open' && request.head === head && request.base === base,
  );
  if (known !== undefined)
    return fail(409, [`Another open merge request already exists for this source branch: !${known.number}`]);
  const opened = forge.open({ title: String(body.title), body: String(body.description ?? ''), head, base });
  return { status: 201, body: show(opened) };
}

function update(found: FakeRequest, { body = {} }: JsonRequest): JsonResponse {
  if (typeof body.title === 'string') found.title = body.title;
  if (typeof body.description === 'string') found.body = body.description;
  if (body.state_event === 'close' && found.state === 'open') found.state = 'closed';
  return { status: 200, body: show(found) };
}

function show({ number, title, body, state, head, base, sha, squash, isFromFork }: FakeRequest): object {
  return {
    id: 1000 + number,
    iid: number,
    project_id: project,
    title,
    description: body === '' ? null : body,
    state: stateNames[state],
    created_at: '2026-01-01T00:00:00.000Z',
    merged_at: state === 'merged' ? '2026-01-02T00:00:00.000Z' : null,
    target_branch: base,
    source_branch: head,
    author: { id: 7, username: 'project_42_bot' },
    source_project_id: isFromFork ? 43 : project,
    target_project_id: project,
    draft: false,
    merge_status: 'can_be_merged',
    detailed_merge_status: 'mergeable',
    sha,
    merge_commit_sha: squash === undefined ? null : squash.replace(/^0/, 'f'),
    squash_commit_sha: squash ?? null,
    web_url: `https://gitlab.com/acme/infra/deploy/-/merge_requests/${number}`,
  };
}
