/** How long and how much the client takes from a forge before it gives up. */

/** Times in milliseconds, sizes in bytes. */
export interface ForgeLimits {
  readonly connectMs: number;
  /** One try with its whole answer. */
  readonly attemptMs: number;
  readonly maxTries: number;
  /** Longest wait that a forge may ask for; beyond it the call fails, and none is made before that time. */
  readonly maxWaitMs: number;
  readonly maxAnswerBytes: number;
  /** Pages of one list of open pull requests. */
  readonly maxPages: number;
  /** Pull requests that are over, the newest of all branches, listed at once; where there are more, branches are asked for too. */
  readonly maxOver: number;
  /** Pull requests that are over, the newest of one branch; of Gitea of all branches. */
  readonly maxClosed: number;
}

export const defaultForgeLimits: ForgeLimits = {
  connectMs: 10_000,
  attemptMs: 30_000,
  maxTries: 3,
  maxWaitMs: 10_000,
  // 100 pull requests of GitHub, each with two repositories in it, are some 2 MB.
  maxAnswerBytes: 16 * 1024 * 1024,
  maxPages: 20,
  maxOver: 300,
  maxClosed: 1000,
};
