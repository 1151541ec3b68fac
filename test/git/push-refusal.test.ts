import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodePacket, flushPacket } from '../../src/git/pkt-line.ts';
import { parseReport } from '../../src/git/send-pack.ts';

const ref = 'refs/heads/main';

/** What a server answers: its verdict on the branch, and what it prints meanwhile. */
function answer(verdict: string, said: string): Buffer {
  const report = Buffer.concat([encodePacket('unpack ok\n'), encodePacket(`ng ${ref} ${verdict}\n`), flushPacket]);
  const progress = said === '' ? [] : [encodePacket(`\u0002${said}`)];
  return Buffer.concat([...progress, encodePacket(`\u0001${report.toString('latin1')}`), flushPacket]);
}

describe('refusals of a push', () => {
  const refusals: [string, string, string, RegExp][] = [
    [
      'GitHub, protected branch',
      'protected branch hook declined',
      'error: GH006: Protected branch update failed for refs/heads/main.\nerror: At least 1 approving review is required by reviewers with write access.',
      /protected branch/,
    ],
    [
      'GitHub, required checks',
      'protected branch hook declined',
      'error: GH006: Protected branch update failed for refs/heads/main.\nerror: Required status check "ci" is expected.',
      /protected branch/,
    ],
    [
      'GitHub, rules',
      'push declined due to repository rule violations',
      'error: GH013: Repository rule violations found for refs/heads/main.\nReview all repository rules at https://github.com/a/b/rules\n- Changes must be made through a pull request.',
      /rules|protected/,
    ],
    [
      'GitHub, rules for signatures',
      'push declined due to repository rule violations',
      'error: GH013: Repository rule violations found for refs/heads/main.\n- Commits must have verified signatures.',
      /signing/,
    ],
    [
      'GitHub, private email',
      'push declined due to email privacy restrictions',
      'error: GH007: Your push would publish a private email address.',
      /author/,
    ],
    [
      'GitHub, App without permission',
      'refusing to allow a GitHub App to create or update workflow `.github/workflows/ci.yml` without `workflows` permission',
      '',
      /write access/,
    ],
    [
      'GitLab, protected branch',
      'pre-receive hook declined',
      'GitLab: You are not allowed to push code to protected branches on this project.',
      /protected branch/,
    ],
    [
      'GitLab, forced push',
      'pre-receive hook declined',
      'GitLab: You are not allowed to force push code to a protected branch on this project.',
      /protected branch/,
    ],
    [
      'GitLab, no rights',
      'pre-receive hook declined',
      'GitLab: You are not allowed to push code to this project.',
      /write access/,
    ],
    [
      'GitLab, read-only deploy key',
      'pre-receive hook declined',
      'GitLab: This deploy key does not have write access to this project.',
      /write access/,
    ],
    [
      'GitLab, commit message rule',
      'pre-receive hook declined',
      "GitLab: Commit message does not follow the pattern 'JIRA-\\d+'",
      /commit message/,
    ],
    [
      'GitLab, author rule',
      'pre-receive hook declined',
      "GitLab: Author's email 'x@y' does not follow the pattern '@corp$'",
      /author/,
    ],
    [
      'GitLab, committer rule',
      'pre-receive hook declined',
      'GitLab: You cannot push commits for x@y. You can only push commits if the committer email is one of your own verified emails.',
      /author/,
    ],
    ['GitLab, unsigned', 'pre-receive hook declined', 'GitLab: Commit must be signed with a GPG key', /signing/],
    [
      'Gitea, protected branch',
      'pre-receive hook declined',
      'Gitea: Not allowed to push to protected branch main',
      /protected branch/,
    ],
    [
      'Forgejo, protected branch',
      'pre-receive hook declined',
      'Forgejo: branch main is protected from force push',
      /protected branch/,
    ],
    [
      'Bitbucket, branch permission',
      'pre-receive hook declined',
      'Permission denied to update branch main.',
      /write access/,
    ],
    [
      'Bitbucket, only pull requests',
      'pre-receive hook declined',
      'Branch refs/heads/main can only be modified through pull requests.',
      /protected branch/,
    ],
    ['Bitbucket Server, a hook of its own', 'pre-receive hook declined', 'remote: No deploys on Friday', /hook says/],
    [
      'Azure DevOps, policies',
      'TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch.',
      '',
      /protected branch/,
    ],
    [
      'Azure DevOps, permission',
      "TF401027: You need the Git 'GenericContribute' permission to perform this action.",
      '',
      /write access/,
    ],
    [
      'Azure DevOps, forced push',
      "TF401027: You need the Git 'ForcePush' permission to perform this action.",
      '',
      /write access/,
    ],
    ['Gerrit', 'prohibited by Gerrit: not permitted: update', '', /./],
    ['git, hook', 'hook declined', '', /hook says/],
    ['git, checked out', 'branch is currently checked out', '', /bare/],
    ['an archive', 'pre-receive hook declined', 'This repository was archived so it is read-only.', /archive/],
    [
      'a full repository',
      'pre-receive hook declined',
      'GitLab: Your push has been rejected, because this repository has exceeded its size limit',
      /room/,
    ],
  ];
  for (const [name, verdict, said, remedy] of refusals) {
    it(`are told with a remedy: ${name}`, () => {
      const found = parseReport(answer(verdict, said), ref, true);
      assert.equal(found.kind, 'refused', JSON.stringify(found));
      assert.match((found.kind === 'refused' && found.remedy) || 'as the catalogue says', remedy);
    });
  }

  const races: Record<string, string> = {
    git: 'failed to update ref',
    'git, with an old value':
      "cannot lock ref 'refs/heads/main': is at 1111111111111111111111111111111111111111 but expected 2",
    'git, a lock': "cannot lock ref 'refs/heads/main': Unable to create 'main.lock': File exists",
    'git, not a fast-forward': 'non-fast-forward',
    'git, fetch first': 'fetch first',
    JGit: 'lock error',
    'JGit, lock': 'failed to lock',
    'Azure DevOps':
      "TF401028: The reference 'refs/heads/main' has already been updated by another client, so you cannot update it. Please try again.",
  };
  for (const [name, verdict] of Object.entries(races)) {
    it(`are races: ${name}`, () => assert.equal(parseReport(answer(verdict, ''), ref, true).kind, 'moved'));
  }

  const passing: Record<string, [string, string]> = {
    'GitLab, its API is away': ['pre-receive hook declined', 'GitLab: Internal API unreachable'],
    'GitLab, being maintained': ['pre-receive hook declined', 'GitLab is currently in read-only mode'],
    GitHub: ['Internal Server Error', ''],
  };
  for (const [name, [verdict, said]] of Object.entries(passing)) {
    it(`may pass: ${name}`, () =>
      assert.throws(() => parseReport(answer(verdict, said), ref, true), { code: 'RepoUnavailable' }));
  }
});
