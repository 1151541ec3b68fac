/** What servers say over SSH when they refuse: they have words only, no codes. */
import { TallymanError } from '../error/tallyman-error.ts';
import { quoteServer, repoInvalid, repoUnavailable } from './errors.ts';
import type { GitService } from './transport.ts';

/** GitHub, GitLab, Gitea, Forgejo, Bitbucket and Gerrit, to a key that may only read. */
const readOnlyWords =
  /marked as read.?only|deploy(?:ment)? key .*(?:read.?only|not have write)|(?:no|not have) write access|not authori[sz]ed to write|not (?:allowed|permitted) to (?:push|upload|write)|read.?only (?:access|key|repository)|prohibited by gerrit/i;
/** Forges, to a key that may not see the repository, or of one that is not there: they do not tell which. */
const hiddenWords =
  /repository not found|could not be found|not found or you don'?t have|repository does not exist|cannot find repository/i;
/** Git itself. */
const missingWords =
  /does not appear to be a git repository|not a git repository|no such file or directory|unable to find/i;
const deniedWords =
  /permission denied|access denied|denied|unauthori[sz]ed|not authori[sz]ed|forbidden|not allowed|insufficient permission/i;

interface Refusal {
  readonly shownUrl: string;
  readonly service: GitService;
  /** What the server said, to whichever stream. */
  readonly words: string;
}

/** The failure that the server's words stand for. */
export function fromSshRefusal({ shownUrl, service, words }: Refusal): TallymanError {
  const isPush = service === 'git-receive-pack';
  const verb = `Cannot ${isPush ? 'push to' : 'read'} Yaml repo "${shownUrl}"`;
  const said = quoteServer(unwrap(words));
  const found = said === '' ? 'the server ended the conversation without a word' : `the server said "${said}"`;
  if (isPush && readOnlyWords.test(said))
    return new TallymanError('PushRejected', `${verb}: ${found}, write access was wanted`, {
      remedy: 'Allow the key of `ssh` to write: on a forge, add it as a deploy key with write access.',
    });
  if (hiddenWords.test(said))
    return new TallymanError('RepoDenied', `${verb}: ${found}, a repository that the key may see was wanted`, {
      remedy: 'Correct the URL under `repos`, or add the key of `ssh` to the repository as a deploy key.',
    });
  if (missingWords.test(said))
    return repoInvalid(`${verb}: ${found}, a Git repository was wanted`, 'Correct the path in the URL under `repos`.');
  if (deniedWords.test(said))
    return new TallymanError('RepoDenied', `${verb}: ${found}, ${isPush ? 'write' : 'read'} access was wanted`, {
      remedy: 'Give the key of `ssh` access to the repository: on a forge, add it as a deploy key.',
    });
  return repoUnavailable(`${verb}: ${found}, an answer was wanted`);
}

/** Without the frame that GitLab and others draw around their words. */
function unwrap(words: string): string {
  return words
    .split('\n')
    .map((line) => line.replace(/^(?:remote:)?\s*/, '').trim())
    .filter((line) => !/^=*$/.test(line))
    .join('\n');
}
