import type { ImageRepository } from '../image/reference.ts';
import type { ScalarStyle } from '../yaml/scalar-source.ts';

/**
 * What a scalar carries. `reference`: name and version together (`ghcr.io/acme/web:1.4.2`), the others one part alone.
 */
export type Part = 'reference' | 'name' | 'tag' | 'digest';

/** One scalar that carries an image's name, tag or digest. */
export interface SiteScalar {
  readonly part: Part;
  /** Range in the text, in UTF-16 units, quotes included. */
  readonly start: number;
  readonly end: number;
  /** Text before `value` in the same scalar, which stays: `old=` of an image override, else empty. */
  readonly prefix: string;
  readonly value: string;
  readonly style: ScalarStyle;
  /** Inside `{…}` or `[…]`, where fewer characters may stand unquoted. */
  readonly inFlow: boolean;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** `spec.containers[0].image`, preceded by `#1:` in the file's second document and so on; `spec.values|image.tag` inside a block scalar. */
  readonly path: string;
}

/** Whom a site belongs to: the policy a marker names, or every policy of an image repository. */
export type Claim =
  | { readonly by: 'policy'; readonly policy: string }
  | { readonly by: 'repository'; readonly repository: ImageRepository };

/** One image written in a file: a scalar, or several that move together as one unit. Known without knowing any policy. */
export interface Site {
  readonly kind: SiteKind;
  readonly claim: Claim;
  readonly scalars: readonly SiteScalar[];
}

/** Ways of finding where versions are written: one file and one row of the table in find-sites.ts each. */
export type TargetKind = 'marker' | 'helm' | 'kustomize' | 'argocd' | 'workload';
/** `explicit`: named in the policy itself, by file and path. */
export type SiteKind = TargetKind | 'explicit';
