/** A Yaml repo on Gitea in which people review what Tallyman proposes. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createForge } from '../../src/forge/create-forge.ts';
import { createYamlRepo } from '../../src/git/yaml-repo.ts';
import { createHoldMemory } from '../../src/pipeline/find-holds.ts';
import type { CommitInfo, PullRequest } from '../../src/pipeline/ports.ts';
import { type ProposedChanges, proposeChanges } from '../../src/pipeline/propose-changes.ts';
import { createProposalMemory } from '../../src/pipeline/propose-facts.ts';
import type { ProposingContext } from '../../src/pipeline/proposing-context.ts';
import { createRepoMemory } from '../../src/pipeline/repo-memory.ts';
import { memoryLedger } from '../ledger/memory-ledger.ts';
import { commitFiles, runGit } from '../services/git-server.ts';
import { type Gitea, startGitea } from '../services/gitea.ts';
import { waitUntil } from '../wait-until.ts';
import { fakeRegistry, listingOf, testClock } from './fake-registry.ts';

export interface ReviewedRepo {
  /** What the registry has, by the last part of the image. */
  readonly tags: Map<string, readonly string[]>;
  /** One pass of the first Tallyman, or of another. */
  pass(tallyman?: number): Promise<ProposedChanges>;
  /** The open ones. */
  pulls(): Promise<readonly PullRequest[]>;
  comments(number: number): Promise<readonly string[]>;
  /** A squash gets a message of a person's own, with nothing of ours. */
  merge(number: number, way: 'merge' | 'squash' | 'rebase'): Promise<void>;
  close(number: number): Promise<void>;
  /** A person's commit on a branch; its id. */
  commit(files: Readonly<Record<string, string>>, branch?: string): string;
  /** The commit of a revision; undefined where there is none. */
  tip(revision: string): string | undefined;
  info(branch: string): Promise<CommitInfo>;
  read(file: string, branch?: string): string;
  /** Ends the connections of the Tallymen. */
  end(): Promise<void>;
}

/** A Gitea for the tests of one file; makes repositories on it. */
export function useReviewedRepos(): (files: Readonly<Record<string, string>>) => Promise<ReviewedRepo> {
  const folder = mkdtempSync(join(tmpdir(), 'tallyman-propose-'));
  const opened: ReviewedRepo[] = [];
  let gitea: Gitea;
  before(async () => {
    gitea = await startGitea();
  });
  after(async () => {
    for (const repo of opened) await repo.end();
    await gitea?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return async (files) => {
    const count = opened.length + 1;
    const repo = await openReviewedRepo(gitea, { name: `deploy-${count}`, folder: join(folder, String(count)), files });
    opened.push(repo);
    return repo;
  };
}

export const policyText = (name: string, write = 'mode: pull-request'): string =>
  `apiVersion: tallyman.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {name: ${name}, namespace: shop}\nspec: {image: ghcr.io/acme/${name}, select: {semver: "*"}, write: {${write}}}\n`;
export const imageText = (name: string, tag: string): string => `# ${name}\nimage: ghcr.io/acme/${name}:${tag}\n`;
export const oneApp = {
  'policy.yaml': policyText('web'),
  'web.yaml': imageText('web', '1.4.2'),
  'other.txt': 'other\n',
};

interface Making {
  readonly name: string;
  readonly folder: string;
  readonly files: Readonly<Record<string, string>>;
}

async function openReviewedRepo(gitea: Gitea, { name, folder, files }: Making): Promise<ReviewedRepo> {
  const { username } = gitea.user;
  await gitea.api('/user/repos', { method: 'POST', body: { name, default_branch: 'main' } });
  const address = new URL(`${gitea.url}/${username}/${name}.git`);
  [address.username, address.password] = [username, gitea.token];
  const url = address.href;
  const tags = new Map<string, readonly string[]>();
  const opened = [0, 1].map((index) => openTallyman(gitea, { name, tags, folder: `${folder}-${index}` }));
  const tallymen = opened.map(({ context }) => context);
  const ends = opened.map(({ end }) => end);
  const person = openPerson(url, `${folder}-person`);
  person.commit(files);
  const api = `/repos/${username}/${name}`;
  // Until it knows of the first push there are no pull requests for it.
  await waitUntil(async () => {
    const { empty } = (await (await gitea.api(api)).json()) as { empty: boolean };
    return !empty;
  });
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
      const own = way === 'squash' && { MergeTitleField: 'Bump the web shop', MergeMessageField: 'As agreed.' };
      const body = { Do: way, ...own };
      // It looks whether there are conflicts in its own time, and refuses meanwhile.
      for (let tries = 1; ; tries += 1) {
        try {
          await gitea.api(`${api}/pulls/${number}/merge`, { method: 'POST', body });
          return;
        } catch (error) {
          if (tries === 100 || !/try again later/.test(String(error))) throw error;
          await wait(200);
        }
      }
    },
    async close(number) {
      await gitea.api(`${api}/pulls/${number}`, { method: 'PATCH', body: { state: 'closed' } });
    },
    async info(branch) {
      const branches = tallymen[0]?.proposing?.branches;
      if (branches === undefined) throw new Error('no Tallyman');
      return await branches.readCommit(person.tip(branch) ?? '', { signal });
    },
    async end() {
      for (const end of ends) await end();
    },
  };
}

interface Watching {
  readonly name: string;
  readonly folder: string;
  readonly tags: ReadonlyMap<string, readonly string[]>;
}

function openTallyman(
  gitea: Gitea,
  { name, folder, tags }: Watching,
): { context: ProposingContext; end(): Promise<unknown> } {
  const { username } = gitea.user;
  const repo = createYamlRepo({
    location: { kind: 'remote', url: `${gitea.url}/${username}/${name}.git` },
    stateDir: folder,
    credential: async () => ({ username, password: gitea.token }),
  });
  const forge = createForge({
    place: {
      kind: 'gitea',
      apiUrl: `${gitea.url}/api/v1`,
      project: `${username}/${name}`,
      host: gitea.host,
    },
    credential: async () => ({ username: undefined, token: gitea.token }),
    now: Date.now,
    random: Math.random,
    sleep: (ms) => wait(ms),
  });
  const context: ProposingContext = {
    repo,
    registry: fakeRegistry({
      listTags: async ({ path }) => listingOf(...(tags.get(path.split('/').at(-1) ?? '') ?? [])),
    }),
    ledger: memoryLedger(),
    clock: testClock(),
    memory: createRepoMemory(['.']),
    holds: createHoldMemory(),
    author: { name: 'Bot', email: 'bot@example.com' },
    concurrency: 4,
    allowedRegistries: undefined,
    proposing: { forge, branches: repo, memory: createProposalMemory() },
  };
  return { context, end: () => Promise.all([repo.close(), forge.close()]) };
}

type Person = Pick<ReviewedRepo, 'commit' | 'tip' | 'read'>;

function openPerson(url: string, folder: string): Person {
  mkdirSync(folder, { recursive: true });
  runGit(folder, ['init', '-q', '--bare', '.']);
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
  };
}
