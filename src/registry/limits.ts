/** How long and how much the client takes from a registry before it gives up. */

/** Times in milliseconds, sizes in bytes. */
export interface Limits {
  readonly connectMs: number;
  /** From the request's end to the answer's first line. */
  readonly headersMs: number;
  /** Between two pieces of a body. */
  readonly bodyMs: number;
  /** One try, with its redirects and the whole body. */
  readonly attemptMs: number;
  /** One call of the port, with all its pages, tries and waits. */
  readonly operationMs: number;
  readonly maxTries: number;
  /** Longest wait that a registry may ask for; beyond it the call fails and the next pass tries again. */
  readonly maxWaitMs: number;
  /** Requests in flight to one origin: registries meter bursts (GHCR answers 429 even to those who sign in). */
  readonly maxInFlight: number;
  readonly maxTagPageBytes: number;
  /** The distribution-spec asks registries to take manifests of at least 4 MiB; clients commonly read 8 MiB. */
  readonly maxManifestBytes: number;
  readonly maxTokenBytes: number;
  /** Pages of one listing, where the host's settings name no other number. */
  readonly maxPages: number;
  /** Tags of one repository, over all pages. */
  readonly maxTags: number;
}

export const defaultLimits: Limits = {
  connectMs: 10_000,
  headersMs: 15_000,
  bodyMs: 15_000,
  attemptMs: 60_000,
  operationMs: 600_000,
  maxTries: 3,
  maxWaitMs: 10_000,
  maxInFlight: 8,
  // GCR sends every manifest of a repository along with its tags, on one page.
  maxTagPageBytes: 32 * 1024 * 1024,
  maxManifestBytes: 8 * 1024 * 1024,
  maxTokenBytes: 64 * 1024,
  maxPages: 500,
  maxTags: 500_000,
};
