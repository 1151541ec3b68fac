/** A Yaml repo on Gitea in which people review what Tallyman proposes. */
import { createForge } from '../../src/forge/create-forge.ts';
import { createHoldMemory } from '../../src/pipeline/find-holds.ts';
import type { CommitInfo, PullRequest } from '../../src/pipeline/ports.ts';
import { type ProposedChanges, type ProposingContext, proposeChanges } from '../../src/pipeline/propose-changes.ts';
import { createProposalMemory } from '../../src/pipeline/propose-facts.ts';
import { createRepoMemory } from '../../src/pipeline/repo-memory.ts';
import { commitFiles, runGit } from '../services/git-server.ts';
import type { Gitea } from '../services/gitea.ts';
import { fakeRegistry, listingOf, testClock } from './fake-registry.ts';
import { openGitYamlRepo } from './git-yaml-repo.ts';

export interface ReviewedRepo {
  /** What the registry has, by the last part of the image. */
  readonly tags: Map<string, readonly string[]>;
  /** One pass of the first Tallyman, or of another. */
  pass(tallyman?: number): Promise<ProposedChanges>;
  /** The open ones. */
  pulls(): Promise<readonly PullRequest[]>;
  comments(number: number): Promise<readonly string[]>;
  merge(number: number, way: 'merge' | 'squash' | 'rebase'): Promise<void>;
  close(number: number): Promise<void>;
  /** A person's commit on a branch; its id. */
  commit(files: Readonly<Record<string, string>>, branch?: string): string;
  /** The commit of a revision; undefined where there is none. */
  tip(revision: string): string | undefined;
  info(branch: string): Promise<CommitInfo>;
  read(file: string, branch?: string): string;
}

interface Making {
  readonly name: string;
  readonly folder: string;
  readonly files: Readonly<Record<string, string>>;
}

export async function openReviewedRepo(gitea: Gitea, { name, folder, files }: Making): Promise<ReviewedRepo> {
  const { username } = gitea.user;
  await gitea.api('/user/repos', { method: 'POST', body: { name, default_branch: 'main' } });
  const address = new URL(`${gitea.url}/${username}/${name}.git`);
  [address.username, address.password] = [username, gitea.token];
  const url = address.href;
  const tags = new Map<string, readonly string[]>();
  const tallymen = [0, 1].map((index) => openTallyman(gitea, { name, url, tags, folder: `${folder}-${index}` }));
  const person = openPerson(url, `${folder}-person`);
  person.commit(files);
  const api = `/repos/${username}/${name}`;
  const question = { baseBranch: 'main', prefix: 'tallyman/main/', closedOf: [] };
  const signal = new AbortController().signal;
  return {
    tags,
    ...person,
    async pass(index = 0) {
      const context = tallymen[index] ?? tallymen[0];
      if (context === undefined) throw new Error('no such Tallyman');
      const snapshot = await context.repo.fetch({ signal });
      const { policies } = await context.memory.read(context.repo, snapshot, { signal });
      return await proposeChanges(context, policies, { signal });
    },
    pulls: async () => (await tallymen[0]?.proposing?.forge.listPullRequests(question, { signal })) ?? [],
    async comments(number) {
      const found = (await (await gitea.api(`${api}/issues/${number}/comments`)).json()) as { body: string }[];
      return found.map(({ body }) => body);
    },
    async merge(number, way) {
      await gitea.api(`${api}/pulls/${number}/merge`, { method: 'POST', body: { Do: way } });
    },
    async close(number) {
      await gitea.api(`${api}/pulls/${number}`, { method: 'PATCH', body: { state: 'closed' } });
    },
    info: (branch) => openGitYamlRepo(url, `${folder}-info`).readCommit(person.tip(branch) ?? '', { signal }),
  };
}

interface Watching {
  readonly name: string;
  readonly url: string;
  readonly folder: string;
  readonly tags: ReadonlyMap<string, readonly string[]>;
}

function openTallyman(gitea: Gitea, { name, url, folder, tags }: Watching): ProposingContext {
  const repo = openGitYamlRepo(url, folder);
  const forge = createForge({
    place: {
      kind: 'gitea',
      apiUrl: `${gitea.url}/api/v1`,
      project: `${gitea.user.username}/${name}`,
      host: gitea.host,
    },
    credential: async () => ({ username: undefined, token: gitea.token }),
    now: Date.now,
    random: Math.random,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
  return {
    repo,
    registry: fakeRegistry({
      listTags: async ({ path }) => listingOf(...(tags.get(path.split('/').at(-1) ?? '') ?? [])),
    }),
    clock: testClock(),
    memory: createRepoMemory(['.']),
    holds: createHoldMemory(),
    author: { name: 'Bot', email: 'bot@example.com' },
    concurrency: 4,
    allowedRegistries: undefined,
    proposing: { forge, branches: repo, baseBranch: 'main', memory: createProposalMemory() },
  };
}

type Person = Pick<ReviewedRepo, 'commit' | 'tip' | 'read'>;

function openPerson(url: string, folder: string): Person {
  const clone = openGitYamlRepo(url, folder);
  const update = (): void => {
    runGit(folder, ['fetch', '-q', '--prune', '--force', url, '+refs/heads/*:refs/heads/*']);
  };
  return {
    commit(files, branch = 'main') {
      if (runGit(folder, ['ls-remote', url]) !== '') update();
      const commit = commitFiles(folder, files, { branch });
      runGit(folder, ['push', '-q', url, `refs/heads/${branch}:refs/heads/${branch}`]);
      return commit;
    },
    tip(revision) {
      update();
      try {
        return runGit(folder, ['rev-parse', '--verify', '-q', revision]);
      } catch {
        return undefined;
      }
    },
    read(file, branch = 'main') {
      update();
      return `${runGit(folder, ['show', `${branch}:${file}`])}\n`;
    },
    ...(clone && {}),
  };
}
