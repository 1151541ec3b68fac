/** Commits as reconcilers write them. */

const idPattern = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/**
 * The id, if it is one of a commit; undefined for versions of charts, and for nonsense.
 *
 * @example
 * parseCommitId('1.4.2') // undefined
 */
export function parseCommitId(text: string | undefined): string | undefined {
  return text !== undefined && idPattern.test(text) ? text : undefined;
}

/**
 * The commit of a revision of Flux: `main@sha1:<id>`, `refs/heads/main@sha1:<id>`, `sha1:<id>`, and as before Flux 2.0
 * `main/<id>`. Source: "Artifact" of the GitRepository API, and RFC-0005 of Flux.
 *
 * @example
 * parseFluxRevision('main@sha1:3f2c9a5d0b7e4c81a6f5d3e2b1c0a9f8e7d6c5b4') // '3f2c9a5d0b7e4c81a6f5d3e2b1c0a9f8e7d6c5b4'
 */
export function parseFluxRevision(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const digest = /(?:^|@)sha(?:1|256):([0-9a-f]+)$/.exec(text)?.[1];
  return parseCommitId(digest ?? text.slice(text.lastIndexOf('/') + 1));
}

/**
 * The beginning of the commit that a chart's version tells with `reconcileStrategy: Revision`: `1.4.0+3f2c9a5d0b7e`, also with
 * a counter behind it; undefined where it tells none. Source: "Reconcile strategy" of the HelmChart API.
 *
 * @example
 * parseChartRevision('1.4.0+3f2c9a5d0b7e.2') // '3f2c9a5d0b7e'
 */
export function parseChartRevision(version: string | undefined): string | undefined {
  return /\+([0-9a-f]{12,64})(?:\.\d{1,19})?$/.exec(version ?? '')?.[1];
}
