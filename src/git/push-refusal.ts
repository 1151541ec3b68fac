/** What servers and their hooks say when they decline a push, and what helps. */
import { quoteServer } from './errors.ts';

/** Rules that a person has set up; the first that fits counts. Where no source is named, the words are git's own (`receive-pack.c`). */
const rules: readonly { readonly words: RegExp; readonly remedy: string }[] = [
  {
    // GitHub GH006 and GH013 "Commits must have verified signatures", GitLab "Commit must be signed with a GPG key".
    words: /verified signatures|must be signed|not signed|unsigned commit|signature (?:is )?required/i,
    remedy:
      'Let the commits be signed with `signing` in the configuration, with a key that the server knows as the bot user’s.',
  },
  {
    // GitHub GH007, GitLab "Author's email … does not follow the pattern", "committer email is one of your own verified emails".
    words:
      /email privacy|(?:committer|author)(?:'s)?(?: \S+)? e-?mail|verified emails|invalid (?:committer|author)|not a member of team/i,
    remedy: 'Set `author` in the configuration to a name and email that the server accepts for the bot user.',
  },
  {
    // GitLab "Commit message does not follow the pattern", Azure DevOps TF402456 (policies), Bitbucket's and others' hooks.
    words: /commit message (?:does not|must|doesn't|should|contains)|message .{0,40}(?:pattern|convention)/i,
    remedy: 'Change the commit message in the configuration to what the server asks for.',
  },
  {
    // GitHub GH006, GitLab, Gitea and Forgejo, Bitbucket ("can only be changed by pull request"), Azure DevOps TF402455.
    words:
      /GH006|protected branch|branch \S+ is protected|protected from|TF402455|only (?:be )?(?:change|update|modif)\w* (?:through|by|via) (?:a )?pull request|must use a pull request/i,
    remedy: 'Let the bot user push to the protected branch, or have the changes proposed with `mode: pull-request`.',
  },
  {
    // GitHub GH013 "Repository rule violations found", "push declined due to repository rule violations".
    words: /GH013|rule violations|push rule|GH009|secrets? detected/i,
    remedy:
      'Let the bot user bypass the rules that the server names, or have the changes proposed with `mode: pull-request`.',
  },
  {
    // Azure DevOps TF401027, GitLab, GitHub "Write access to repository not granted".
    words:
      /TF401027|GenericContribute|not allowed to push|write access|permission|not authori[sz]ed|read-only (?:key|deploy)|access denied/i,
    remedy: 'Give the bot user write access to the repository, or other credentials under `repos`.',
  },
  {
    words: /archived|size limit|quota|too large|exceeds|no space|disk/i,
    remedy: 'Make room in the repository, or take it out of the archive, on the Git server.',
  },
  {
    words: /currently checked out|denyCurrentBranch|unstaged changes/i,
    remedy: 'Point `repos` at a bare repository, or at the folder itself.',
  },
  {
    words: /hook declined|declined/i,
    remedy: 'Read what the server’s hook says, and let it accept the commits of the bot user.',
  },
];

/** The one sentence that helps; undefined where the words are unknown. */
export function findRemedy(words: string): string | undefined {
  return rules.find((rule) => rule.words.test(words))?.remedy;
}

/**
 * The words of git, GitHub, GitLab, Gitea, JGit, libgit2 and Azure DevOps (TF401028) for a ref that moved or is being
 * moved.
 */
const movedWords =
  /failed to update ref|non-fast-forward|fetch first|stale info|cannot lock ref|failed to lock|unable to lock|lock error|reference already exists|already exists|incorrect old value|is at [0-9a-f]{40} but expected|needs? update|TF401028|already been updated/i;

/** Whether the server's verdict on a ref tells of a race. */
export function isMove(verdict: string): boolean {
  return movedWords.test(verdict);
}

/** GitLab's and GitHub's words for parts of themselves that do not work at the moment. */
const brokenWords =
  /internal (?:server )?error|internal API|API is not accessible|read-only mode|temporar(?:y|ily)|try again later|service unavailable|timed? ?out/i;

/** Whether the refusal may go away by itself. */
export function isPassing(words: string): boolean {
  return brokenWords.test(words);
}

/** The verdict with what hooks printed, in one line. */
export function formatRefusal(verdict: string, said: string): string {
  return quoteServer(said === '' ? verdict : `${verdict}: ${said}`);
}
