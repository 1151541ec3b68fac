/** Which Yaml repos are looked at for what a webhook said. */
import type { Hint, PushHint } from '../webhook/delivery.ts';
import { matchesHint } from '../webhook/image-hint.ts';
import { matchesRepoUrl } from '../webhook/match-repo-url.ts';
import type { ImagePoller } from './poll-images.ts';
import type { Wake } from './wake.ts';

/** A Yaml repo that is watched, as the configuration names it. */
export interface WatchedRepo {
  /** Its URL or path. */
  readonly address: string;
  /** Undefined for the remote's default branch. */
  readonly branch: string | undefined;
  readonly wake: Pick<Wake, 'wake'>;
}

/** Wakes the Yaml repos that the hint concerns; how many. An image concerns all of them, if a policy of any has it. */
export function takeHint(
  hint: Hint,
  { repos, poller }: { repos: readonly WatchedRepo[]; poller: Pick<ImagePoller, 'expect'> },
): number {
  const concerned = hint.kind === 'push' ? repos.filter((repo) => isPushTo(repo, hint)) : repos;
  if (hint.kind === 'images') {
    const count = poller.expect((repository) => hint.images.some((image) => matchesHint(image, repository)));
    if (count === 0) return 0;
  }
  for (const { wake } of concerned) wake.wake();
  return concerned.length;
}

/** Where a branch is not told, any may be meant. */
function isPushTo({ address, branch }: WatchedRepo, hint: PushHint): boolean {
  const watched = branch ?? hint.defaultBranch;
  if (watched !== undefined && hint.branch !== undefined && watched !== hint.branch) return false;
  return hint.repoUrls.some((url) => matchesRepoUrl(url, address));
}
