/** Pull requests of GitHub, also of GitHub Enterprise. Source: GitHub's REST API, "Pull requests" and "Issue comments". */
import { z } from 'zod';
import type { Forge, PullRequest, PullRequestQuestion } from '../pipeline/ports.ts';
import { type AdapterTools, formatQuery, listOf, readAnswer, sortPullRequests } from './adapter.ts';
import { fromForgeStatus } from './errors.ts';
import type { ForgeRequest } from './http.ts';
import { listPages } from './pages.ts';

const pageSize = 100;

/** Sent along: what the answers look like is fixed by it. Source: GitHub's "API versions". */
export const githubHeaders = { accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' };

const repoSchema = z.object({ full_name: z.string() });
const pullSchema = z.object({
  number: z.int(),
  html_url: z.string(),
  state: z.enum(['open', 'closed']),
  merged_at: z.string().nullable(),
  // Of an open one a merge that is only tried.
  merge_commit_sha: z.string().nullable(),
  title: z.string(),
  body: z.string().nullable(),
  // Null where the fork is gone.
  head: z.object({ ref: z.string(), sha: z.string(), repo: repoSchema.nullable() }),
  base: z.object({ ref: z.string(), repo: repoSchema }),
});
type Pull = z.infer<typeof pullSchema>;

export function createGithubForge(tools: AdapterTools): Forge {
  const { http, project, host } = tools;
  const pulls = `/repos/${project.split('/').map(encodeURIComponent).join('/')}/pulls`;
  return {
    listPullRequests: (question, { signal }) => listPulls(tools, { question, pulls, signal }),
    async openPullRequest({ headBranch, baseBranch, title, body }, { signal }) {
      const task = `open a pull request in "${project}"`;
      const fields = { title, body, head: headBranch, base: baseBranch };
      const answer = await http.send({ method: 'POST', path: pulls, body: fields, task, accepts: [422], signal });
      if (answer.status < 300)
        return { kind: 'opened', pullRequest: toPullRequest(readAnswer(pullSchema, answer.json, { task, host })) };
      if (/pull request already exists/i.test(answer.said)) return { kind: 'exists' };
      throw fromForgeStatus(answer.status, { task, host, said: answer.said });
    },
    async updatePullRequest(number, { title, body }, { signal }) {
      const task = `update pull request ${number} of "${project}"`;
      await http.send({ method: 'PATCH', path: `${pulls}/${number}`, body: { title, body }, task, signal });
    },
    async closePullRequest(number, { comment, signal }) {
      const task = `close pull request ${number} of "${project}"`;
      await http.send({ method: 'PATCH', path: `${pulls}/${number}`, body: { state: 'closed' }, task, signal });
      const comments = `${pulls.replace(/pulls$/, 'issues')}/${number}/comments`;
      await http.send({ method: 'POST', path: comments, body: { body: comment }, task, once: true, signal });
    },
  };
}

interface Listing {
  readonly question: PullRequestQuestion;
  readonly pulls: string;
  readonly signal: AbortSignal;
}

async function listPulls(
  { http, project, host, limits }: AdapterTools,
  { question, pulls, signal }: Listing,
): Promise<readonly PullRequest[]> {
  const { baseBranch, prefix, closedOf } = question;
  const task = `list the pull requests of "${project}"`;
  const read = (json: unknown, { task }: ForgeRequest) => readAnswer(listOf(pullSchema), json, { task, host });
  const common = { base: baseBranch, sort: 'created', direction: 'desc', per_page: pageSize };
  const list = (fields: object, maxPages: number) =>
    listPages(http, { path: `${pulls}${formatQuery({ ...common, ...fields })}`, task, signal }, { maxPages, read });
  const found = [...(await list({ state: 'open' }, limits.maxPages))];
  const over = closedOf.length === 0 ? [] : await list({ state: 'closed' }, limits.maxOver / pageSize);
  found.push(...over);
  const [owner = ''] = project.split('/');
  // One branch after the other: GitHub asks for requests in a row.
  for (const branch of over.length < limits.maxOver ? [] : closedOf)
    found.push(...(await list({ state: 'closed', head: `${owner}:${branch}` }, limits.maxClosed / pageSize)));
  const wanted = found.filter(
    ({ head, base }) => head.repo?.full_name === base.repo.full_name && head.ref.startsWith(prefix),
  );
  return sortPullRequests(wanted.map(toPullRequest));
}

function toPullRequest(pull: Pull): PullRequest {
  const { number, html_url: url, state, merged_at, merge_commit_sha, title, body, head, base } = pull;
  return {
    number,
    url,
    headBranch: head.ref,
    headCommit: head.sha,
    baseBranch: base.ref,
    state: merged_at === null ? state : 'merged',
    mergeCommit: merged_at === null ? undefined : (merge_commit_sha ?? undefined),
    title,
    body: body ?? '',
  };
}
