/** Pushes, as Git servers tell of them. */
import { type Delivery, type DeliveryResult, headerOf, ignored, malformed } from './delivery.ts';
import { findText, findValue, type Payload } from './payload.ts';

/** Where one kind of server writes what matters in a push. */
interface PushFields {
  /** Keys of the objects that hold addresses. */
  readonly holders: readonly string[];
  readonly urls: readonly string[];
}

/**
 * GitHub's "Webhook events and payloads" (push), which Gitea, Forgejo and Gogs follow (`PushPayload` in
 * modules/structs/hook.go). `url` is the API's address in some events and the web's in others: neither harms.
 */
const githubFields: PushFields = {
  holders: ['repository'],
  urls: ['clone_url', 'ssh_url', 'html_url', 'git_url', 'svn_url', 'url'],
};

/** GitLab's "Webhook events" (push events); `repository` is deprecated there, older versions have nothing else. */
const gitlabFields: PushFields = {
  holders: ['project', 'repository'],
  urls: ['git_http_url', 'git_ssh_url', 'http_url', 'ssh_url', 'web_url', 'homepage', 'url'],
};

/** A push of GitHub, Gitea, Forgejo or Gogs; whatever else happened is ignored. `event` is what the server's header says. */
export function readGithubPush(payload: Payload, event: string | undefined): DeliveryResult {
  if (event === undefined) return malformed('the header that names the event is missing');
  return event === 'push' ? readPush(payload, githubFields) : ignored('not a push');
}

/** The name of the event in the headers of Gitea and those that come from it or it comes from. */
export function findGiteaEvent(delivery: Delivery): string | undefined {
  const names = ['x-gitea-event', 'x-forgejo-event', 'x-gogs-event', 'x-github-event'];
  return names.map((name) => headerOf(delivery, name)).find((event) => event !== undefined);
}

/** A push of GitLab, also as a system hook. */
export function readGitlabPush(payload: Payload): DeliveryResult {
  const kind = findText(payload, 'object_kind') ?? findText(payload, 'event_name');
  if (kind === undefined) return malformed('object_kind is missing');
  return kind === 'push' ? readPush(payload, gitlabFields) : ignored('not a push to a branch');
}

/** Tallyman's own form: `{ "repository": "<address>", "ref": "refs/heads/main" }`, the ref left out where it does not matter. */
export function readGenericPush(payload: Payload): DeliveryResult {
  const repository = findText(payload, 'repository');
  if (repository === undefined) return malformed('repository is missing, the address of a Git repository was wanted');
  const ref = findText(payload, 'ref');
  if (ref?.startsWith('refs/') && !ref.startsWith('refs/heads/')) return ignored('not a branch');
  return { kind: 'push', repoUrls: [repository], branch: ref?.replace(/^refs\/heads\//, ''), defaultBranch: undefined };
}

function readPush(payload: Payload, { holders, urls }: PushFields): DeliveryResult {
  const ref = findText(payload, 'ref');
  if (ref === undefined) return malformed('ref is missing');
  if (!ref.startsWith('refs/heads/')) return ignored('not a branch');
  if (findValue(payload, 'deleted') === true || isNoCommit(findText(payload, 'after')))
    return ignored('the branch was deleted');
  const found = holders.flatMap((holder) => urls.map((key) => findText(payload, holder, key)));
  const repoUrls = [...new Set(found.filter((url) => url !== undefined))];
  if (repoUrls.length === 0) return malformed('the address of the repository is missing');
  const [defaultBranch] = holders.flatMap((holder) => findText(payload, holder, 'default_branch') ?? []);
  return { kind: 'push', repoUrls, branch: ref.slice('refs/heads/'.length), defaultBranch };
}

/** Git's null object id, of SHA-1 or SHA-256. */
function isNoCommit(id: string | undefined): boolean {
  return id !== undefined && /^0{40}(?:0{24})?$/.test(id);
}
