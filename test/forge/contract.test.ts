import { randomUUID } from 'node:crypto';
import { after, before } from 'node:test';
import type { ForgeKind } from '../../src/forge/find-forge.ts';
import { type ForgeScene, testForge } from '../contracts/forge-contract.ts';
import type { FakeForge } from '../services/fake-forge.ts';
import { type Gitea, startGitea } from '../services/gitea.ts';
import { startGithubApi } from '../services/github-api.ts';
import { startGitlabApi } from '../services/gitlab-api.ts';
import type { JsonServer } from '../services/json-server.ts';
import { openTestForge, type TestForge } from './forge-tools.ts';

const wrongToken = 'wr0ng-t0ken';

interface Case {
  readonly kind: ForgeKind;
  readonly start: () => Promise<JsonServer & FakeForge>;
  readonly apiPath: string;
  readonly project: string;
}

const fakes: readonly Case[] = [
  { kind: 'github', start: startGithubApi, apiPath: '', project: 'acme/deploy' },
  { kind: 'gitlab', start: startGitlabApi, apiPath: '/api/v4', project: 'acme/infra/deploy' },
];

for (const { kind, start, apiPath, project } of fakes) {
  let scene: ForgeScene;
  let ends: readonly { close(): Promise<void> }[] = [];
  before(async () => {
    const api = await start();
    const open = (token: string): TestForge => openTestForge({ kind, apiUrl: `${api.url}${apiPath}`, project, token });
    const [forge, stranger] = [open(api.token), open(wrongToken)];
    ends = [forge, stranger, api];
    scene = {
      forge,
      stranger,
      secrets: [api.token, wrongToken],
      push: async (branch) => api.push(branch),
      merge: async (number) => api.merge(number),
      async close(number) {
        const request = api.find(number);
        if (request !== undefined) request.state = 'closed';
      },
      comments: async (number) => api.find(number)?.comments ?? [],
      openFromFork: async (head) =>
        api.open({ title: 'Theirs', body: 'theirs', head, base: 'main', isFromFork: true }).number,
    };
  });
  after(async () => {
    for (const end of ends) await end.close();
  });
  testForge(kind, () => scene);
}

let gitea: Gitea;
let scene: ForgeScene;
let ends: readonly TestForge[] = [];
before(async () => {
  gitea = await startGitea();
  scene = await openGiteaScene();
});
after(async () => {
  for (const end of ends) await end.close();
  await gitea?.close();
});
testForge('gitea', () => scene);

async function openGiteaScene(): Promise<ForgeScene> {
  const repo = '/repos/tally/deploy';
  await gitea.api('/user/repos', { method: 'POST', body: { name: 'deploy', auto_init: true, default_branch: 'main' } });
  await gitea.api('/orgs', { method: 'POST', body: { username: 'mallory' } });
  await gitea.api(`${repo}/forks`, { method: 'POST', body: { organization: 'mallory' } });
  const open = (token: string): TestForge =>
    openTestForge({ kind: 'gitea', apiUrl: `${gitea.url}/api/v1`, project: 'tally/deploy', token });
  const [forge, stranger] = [open(gitea.token), open(wrongToken)];
  ends = [forge, stranger];
  const commit = async (where: string, branch: string): Promise<string> => {
    const exists = await gitea.api(`${where}/branches/${branch}`).then(
      () => true,
      () => false,
    );
    const content = Buffer.from(randomUUID()).toString('base64');
    const target = exists ? { branch } : { branch: 'main', new_branch: branch };
    const body = { ...target, content, message: 'Change a file' };
    const answer = await gitea.api(`${where}/contents/${randomUUID()}.txt`, { method: 'POST', body });
    const made = (await answer.json()) as { commit: { sha: string } };
    return made.commit.sha;
  };
  return {
    forge,
    stranger,
    secrets: [gitea.token, wrongToken],
    push: (branch) => commit(repo, branch),
    async merge(number) {
      await gitea.api(`${repo}/pulls/${number}/merge`, { method: 'POST', body: { Do: 'squash' } });
      const answer = await gitea.api(`${repo}/branches/main`);
      return ((await answer.json()) as { commit: { id: string } }).commit.id;
    },
    async close(number) {
      await gitea.api(`${repo}/pulls/${number}`, { method: 'PATCH', body: { state: 'closed' } });
    },
    async comments(number) {
      const answer = await gitea.api(`${repo}/issues/${number}/comments`);
      const found = (await answer.json()) as { body: string }[];
      return found.map(({ body }) => body);
    },
    async openFromFork(branch) {
      await commit('/repos/mallory/deploy', branch);
      const body = { title: 'Theirs', body: 'theirs', head: `mallory:${branch}`, base: 'main' };
      const answer = await gitea.api(`${repo}/pulls`, { method: 'POST', body });
      const opened = (await answer.json()) as { number: number };
      return opened.number;
    },
  };
}
