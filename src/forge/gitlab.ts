/** Merge requests of GitLab. Source: GitLab's REST API, "Merge requests" and "Notes". */
import { z } from 'zod';
import type { Forge, PullRequest, PullRequestQuestion } from '../pipeline/ports.ts';
import { type AdapterTools, formatQuery, listOf, readAnswer, sortPullRequests } from './adapter.ts';
import type { ForgeRequest } from './http.ts';
import { listPages } from './pages.ts';

const mergeRequestSchema = z.object({
  iid: z.int(),
  web_url: z.string(),
  state: z.enum(['opened', 'closed', 'locked', 'merged']),
  title: z.string(),
  description: z.string().nullable(),
  source_branch: z.string(),
  target_branch: z.string(),
  // Null where the source branch, or the fork, is gone.
  sha: z.string().nullable(),
  squash_commit_sha: z.string().nullish(),
  merge_commit_sha: z.string().nullish(),
  source_project_id: z.int().nullable(),
  target_project_id: z.int(),
});
const pageSize = 100;
type MergeRequest = z.infer<typeof mergeRequestSchema>;

/** `locked`: it is being merged. */
const states: Readonly<Record<MergeRequest['state'], PullRequest['state']>> = {
  opened: 'open',
  locked: 'open',
  closed: 'closed',
  merged: 'merged',
};

export function createGitlabForge(tools: AdapterTools): Forge {
  const { http, project, host } = tools;
  const requests = `/projects/${encodeURIComponent(project)}/merge_requests`;
  return {
    listPullRequests: (question, { signal }) => listMergeRequests(tools, { question, requests, signal }),
    async openPullRequest({ headBranch, baseBranch, title, body }, { signal }) {
      const task = `open a merge request in "${project}"`;
      const branches = { source_branch: headBranch, target_branch: baseBranch, remove_source_branch: true };
      const fields = { ...branches, title, description: body };
      const answer = await http.send({ method: 'POST', path: requests, body: fields, task, accepts: [409], signal });
      if (answer.status === 409) return { kind: 'exists' };
      const read = readAnswer(mergeRequestSchema, answer.json, { task, host });
      return { kind: 'opened', pullRequest: toPullRequest(read) };
    },
    async updatePullRequest(number, { title, body }, { signal }) {
      const task = `update merge request ${number} of "${project}"`;
      const fields = { title, description: body };
      await http.send({ method: 'PUT', path: `${requests}/${number}`, body: fields, task, signal });
    },
    async closePullRequest(number, { comment, signal }) {
      const task = `close merge request ${number} of "${project}"`;
      await http.send({ method: 'PUT', path: `${requests}/${number}`, body: { state_event: 'close' }, task, signal });
      const note = { path: `${requests}/${number}/notes`, body: { body: comment } };
      await http.send({ method: 'POST', ...note, task, once: true, signal });
    },
  };
}

interface Listing {
  readonly question: PullRequestQuestion;
  readonly requests: string;
  readonly signal: AbortSignal;
}

async function listMergeRequests(
  { http, project, host, limits }: AdapterTools,
  { question, requests, signal }: Listing,
): Promise<readonly PullRequest[]> {
  const { baseBranch, prefix, closedOf } = question;
  const task = `list the merge requests of "${project}"`;
  const read = (json: unknown, { task }: ForgeRequest) => readAnswer(listOf(mergeRequestSchema), json, { task, host });
  const common = { scope: 'all', target_branch: baseBranch, order_by: 'created_at', sort: 'desc', per_page: pageSize };
  const list = (fields: object, maxPages: number) =>
    listPages(http, { path: `${requests}${formatQuery({ ...common, ...fields })}`, task, signal }, { maxPages, read });
  const found = [...(await list({ state: 'opened' }, limits.maxPages))];
  const over = closedOf.length === 0 ? [] : await list({ state: 'all' }, limits.maxOver / pageSize);
  found.push(...over);
  for (const branch of over.length < limits.maxOver ? [] : closedOf)
    found.push(...(await list({ state: 'all', source_branch: branch }, limits.maxClosed / pageSize)));
  const wanted = found.filter(
    ({ source_project_id: from, target_project_id: to, source_branch: branch }) =>
      from === to && branch.startsWith(prefix),
  );
  return sortPullRequests(wanted.map(toPullRequest));
}

function toPullRequest(request: MergeRequest): PullRequest {
  return {
    number: request.iid,
    url: request.web_url,
    headBranch: request.source_branch,
    headCommit: request.sha ?? '',
    baseBranch: request.target_branch,
    state: states[request.state],
    mergeCommit: request.state === 'merged' ? findMergeCommit(request) : undefined,
    title: request.title,
    body: request.description ?? '',
  };
}

/** A squash stands on the base also where a merge commit brings it there; a fast-forward brings the branch's own commit. */
function findMergeCommit({ squash_commit_sha, merge_commit_sha, sha }: MergeRequest): string | undefined {
  return squash_commit_sha ?? merge_commit_sha ?? sha ?? undefined;
}
