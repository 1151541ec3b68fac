import type { Place } from '../error/tallyman-error.ts';
import type { ImageRepository } from '../image/reference.ts';

/** By npm `semver`: a range, and whether prereleases outside the range's own are let in. */
export interface SemverRule {
  readonly kind: 'semver';
  readonly range: string;
  readonly prereleases: boolean;
}

/** How versions are ordered and which are wanted; a kind is one file in select/ and one row in its table. */
export type SelectRule = SemverRule;
export type SelectKind = SelectRule['kind'];

/** `tag`: no digest is written. `digest`: always `tag@sha256:…`. `keep`: what the file has today. */
export type Pin = 'tag' | 'digest' | 'keep';

/** Where a policy may write. */
export interface PolicyPaths {
  /** From the repository's root; `''` is all of it. */
  readonly globs: readonly string[];
  /** Written by a person: then markers outside do not count either. */
  readonly explicit: boolean;
}

/** One policy, whatever dialect it was written in. Plain data. */
export interface Policy {
  /** `namespace/name`: unique, and what every message calls it. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** The repository as written (`ghcr.io/acme/web`): what a marker without a version part writes. */
  readonly image: string;
  readonly repository: ImageRepository;
  readonly select: SelectRule;
  /** RE2 patterns; a tag must match one of `include` (if any are given) and none of `exclude`. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** RE2 pattern whose group `version` is the version; the whole tag is written. */
  readonly extract: string | undefined;
  /** Tags, or versions, that are never chosen. */
  readonly skip: readonly string[];
  readonly allowDowngrade: boolean;
  readonly pin: Pin;
  readonly paths: PolicyPaths;
  /** In dialects that know nothing but markers: images are never found by structure. */
  readonly markersOnly: boolean;
  readonly suspend: boolean;
  readonly source: Place;
}
