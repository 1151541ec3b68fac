/** What the fakes of GitHub and GitLab have in common: one repository with branches, and the requests to merge them. */

/** A pull request as the fake keeps it. */
export interface FakeRequest {
  readonly number: number;
  title: string;
  body: string;
  state: 'open' | 'closed' | 'merged';
  readonly head: string;
  readonly base: string;
  sha: string;
  /** The commit that a squash put on the base. */
  squash: string | undefined;
  readonly isFromFork: boolean;
  readonly comments: string[];
}

export interface FakeForge {
  /** Name -> commit. */
  readonly branches: Map<string, string>;
  readonly pullRequests: FakeRequest[];
  /** The only token that is let in. */
  readonly token: string;
  /** Gives a branch a new commit, which its open request then has too. */
  push(branch: string): string;
  /** Squashes an open request onto its base; the commit that this made. */
  merge(number: number): string;
  find(number: number): FakeRequest | undefined;
  open(fields: { title: string; body: string; head: string; base: string; isFromFork?: boolean }): FakeRequest;
}

export function createFakeForge(): FakeForge {
  const branches = new Map([['main', commitOf(0)]]);
  const pullRequests: FakeRequest[] = [];
  let commits = 0;
  const find = (number: number): FakeRequest | undefined => pullRequests.find((request) => request.number === number);
  return {
    branches,
    pullRequests,
    token: 'f0rge-t0ken',
    push(branch) {
      commits += 1;
      branches.set(branch, commitOf(commits));
      for (const request of pullRequests)
        if (request.state === 'open' && request.head === branch && !request.isFromFork) request.sha = commitOf(commits);
      return commitOf(commits);
    },
    merge(number) {
      const request = find(number);
      if (request?.state !== 'open') throw new Error(`request ${number} is not open`);
      commits += 1;
      branches.set(request.base, commitOf(commits));
      [request.state, request.squash] = ['merged', commitOf(commits)];
      return commitOf(commits);
    },
    find,
    open({ isFromFork = false, ...fields }) {
      const sha = branches.get(fields.head) ?? commitOf(0);
      const request: FakeRequest = {
        number: pullRequests.length + 1,
        ...fields,
        sha,
        squash: undefined,
        state: 'open',
        isFromFork,
        comments: [],
      };
      pullRequests.push(request);
      return request;
    },
  };
}

function commitOf(number: number): string {
  return number.toString(16).padStart(40, '0');
}
