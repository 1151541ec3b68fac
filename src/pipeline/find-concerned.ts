/** Which Yaml repos are looked at for what a webhook said. */

import { matchesRepoUrl } from '../address/match-repo-url.ts';
import type { Hint, PushHint } from '../webhook/delivery.ts';
import { matchesHint } from '../webhook/image-hint.ts';
import type { ImageInterest } from './image-interest.ts';
import type { ImagePoller } from './poll-images.ts';

/** A Yaml repo as the configuration names it. */
export interface NamedRepo {
  /** `https://git.example/acme/deploy.git main` */
  readonly subject: string;
  /** Its URL or path. */
  readonly address: string;
  /** Undefined for the remote's default branch. */
  readonly branch: string | undefined;
}

/**
 * The subjects of the Yaml repos that the hint concerns. An image concerns all whose policies have it, and has the registry
 * asked again; one that nobody asked for, those no pass was made over here.
 */
export async function findConcerned(
  hint: Hint,
  {
    repos,
    poller,
    interest,
  }: {
    readonly repos: readonly NamedRepo[];
    readonly poller: Pick<ImagePoller, 'expect'>;
    readonly interest: Pick<ImageInterest, 'concerned' | 'unknown'>;
  },
): Promise<readonly string[]> {
  if (hint.kind === 'push') return repos.filter((repo) => isPushTo(repo, hint)).map(({ subject }) => subject);
  const meant = await poller.expect((repository) => hint.images.some((image) => matchesHint(image, repository)));
  // What nobody asked for yet a first pass may be just about to ask for.
  if (meant.length === 0) return interest.unknown();
  return [...new Set(meant.flatMap((repository) => interest.concerned(repository)))];
}

/** Where a branch is not told, any may be meant. */
function isPushTo({ address, branch }: NamedRepo, hint: PushHint): boolean {
  const watched = branch ?? hint.defaultBranch;
  if (watched !== undefined && hint.branch !== undefined && watched !== hint.branch) return false;
  return hint.repoUrls.some((url) => matchesRepoUrl(url, address));
}
