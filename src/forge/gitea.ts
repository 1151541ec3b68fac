/** Pull requests of Gitea and Forgejo. Source: Gitea's API (`/api/swagger`), "repository" and "issue". */
import { z } from 'zod';
import type { Forge, PullRequest, PullRequestQuestion } from '../pipeline/ports.ts';
import { type AdapterTools, formatQuery, listOf, readAnswer, sortPullRequests } from './adapter.ts';
import type { ForgeRequest } from './http.ts';
import { listPages } from './pages.ts';

/** `label` is the branch's name also after it was deleted; `ref` then is `refs/pull/<number>/head`. */
const branchSchema = z.object({ label: z.string(), sha: z.string(), repo_id: z.int() });
const pullSchema = z.object({
  number: z.int(),
  html_url: z.string(),
  state: z.enum(['open', 'closed']),
  merged: z.boolean(),
  merge_commit_sha: z.string().nullable(),
  title: z.string(),
  body: z.string(),
  head: branchSchema,
  base: branchSchema,
});
type Pull = z.infer<typeof pullSchema>;

/** Most that one page holds, whatever is asked for, unless its administrator says otherwise. */
const pageSize = 50;

export function createGiteaForge(tools: AdapterTools): Forge {
  const { http, project, host } = tools;
  const repo = `/repos/${project.split('/').map(encodeURIComponent).join('/')}`;
  const pulls = `${repo}/pulls`;
  return {
    listPullRequests: (question, { signal }) => listPulls(tools, { question, pulls, signal }),
    async openPullRequest({ headBranch, baseBranch, title, body }, { signal }) {
      const task = `open a pull request in "${project}"`;
      const fields = { title, body, head: headBranch, base: baseBranch };
      const answer = await http.send({ method: 'POST', path: pulls, body: fields, task, accepts: [409], signal });
      if (answer.status === 409) return { kind: 'exists' };
      return { kind: 'opened', pullRequest: toPullRequest(readAnswer(pullSchema, answer.json, { task, host })) };
    },
    async updatePullRequest(number, { title, body }, { signal }) {
      const task = `update pull request ${number} of "${project}"`;
      await http.send({ method: 'PATCH', path: `${pulls}/${number}`, body: { title, body }, task, signal });
    },
    async closePullRequest(number, { comment, signal }) {
      const task = `close pull request ${number} of "${project}"`;
      await http.send({ method: 'PATCH', path: `${pulls}/${number}`, body: { state: 'closed' }, task, signal });
      const path = `${repo}/issues/${number}/comments`;
      await http.send({ method: 'POST', path, body: { body: comment }, task, once: true, signal });
    },
  };
}

interface Listing {
  readonly question: PullRequestQuestion;
  readonly pulls: string;
  readonly signal: AbortSignal;
}

/** Neither can list those of one head branch, so the newest that are over are looked through. */
async function listPulls(
  { http, project, host, limits }: AdapterTools,
  { question, pulls, signal }: Listing,
): Promise<readonly PullRequest[]> {
  const { baseBranch, prefix, closedOf } = question;
  const task = `list the pull requests of "${project}"`;
  const read = (json: unknown, { task }: ForgeRequest) => readAnswer(listOf(pullSchema), json, { task, host });
  const list = (state: string, maxPages: number) => {
    // Versions that know no `base_branch` list all.
    const path = `${pulls}${formatQuery({ state, base_branch: baseBranch, limit: pageSize })}`;
    return listPages(http, { path, task, signal }, { maxPages, read });
  };
  const open = await list('open', limits.maxPages);
  const closed = closedOf.length === 0 ? [] : await list('closed', limits.maxClosed / pageSize);
  const wanted = [...open, ...closed].filter(
    ({ head, base }) => head.repo_id === base.repo_id && base.label === baseBranch && head.label.startsWith(prefix),
  );
  return sortPullRequests(wanted.map(toPullRequest));
}

function toPullRequest(pull: Pull): PullRequest {
  const { number, html_url: url, state, merged, merge_commit_sha, title, body, head, base } = pull;
  return {
    number,
    url,
    headBranch: head.label,
    headCommit: head.sha,
    baseBranch: base.label,
    state: merged ? 'merged' : state,
    mergeCommit: merged ? (merge_commit_sha ?? undefined) : undefined,
    title,
    body,
  };
}
