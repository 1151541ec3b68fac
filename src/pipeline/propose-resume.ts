/** Frees what persons held by closing pull requests. */
import { markResumed } from '../propose/pull-request-text.ts';
import type { Informed } from './inform-context.ts';
import type { Proposing } from './propose-facts.ts';

/**
 * The addresses of the closed pull requests that held versions of the policy: each says from now on that it holds them no
 * more. None where there were none.
 */
export async function resumeClosed(
  { forge }: Proposing,
  { policy, pullRequests, closed }: Pick<Informed, 'pullRequests' | 'closed'> & { readonly policy: string },
  options: { signal: AbortSignal },
): Promise<readonly string[]> {
  const urls = new Set(closed.filter((version) => version.policy === policy).map(({ url }) => url));
  for (const { number, title, body, url } of pullRequests)
    if (urls.has(url)) await forge.updatePullRequest(number, { title, body: markResumed(body, policy) }, options);
  return [...urls];
}
