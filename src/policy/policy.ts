import type { ObjectName, Place } from '../error/tallyman-error.ts';
import type { ImageRepository } from '../image/reference.ts';

/** By semantic version. `grammar` says whose versions and ranges these are: npm `semver`'s, or a peer's. */
export interface SemverRule {
  readonly kind: 'semver';
  /** Undefined, in Argo CD's grammar only: every release. */
  readonly range: string | undefined;
  /** Also prereleases that the range does not name itself. */
  readonly prereleases: boolean;
  /** `1.2` is a version, with zeros for what is missing. */
  readonly coerce: boolean;
  readonly grammar: 'npm' | 'flux' | 'argocd';
}

/** By a calendar layout such as `YYYY.MM.MICRO`. */
export interface CalverRule {
  readonly kind: 'calver';
  readonly layout: string;
}

/** By exact decimal value, or by code units; `desc`: the lowest is the best. */
export interface NumericalRule {
  readonly kind: 'numerical';
  readonly order: 'asc' | 'desc';
}
export interface AlphabeticalRule {
  readonly kind: 'alphabetical';
  readonly order: 'asc' | 'desc';
}

/** By trusted time. */
export interface NewestRule {
  readonly kind: 'newest';
}

/** Follows the digest of one moving tag. */
export interface DigestRule {
  readonly kind: 'digest';
  readonly tag: string;
}

/** How versions are ordered and which are wanted; a kind is one file in select/ and one row in its table. */
export type SelectRule = SemverRule | CalverRule | NumericalRule | AlphabeticalRule | NewestRule | DigestRule;
export type SelectKind = SelectRule['kind'];

/** The version inside a tag: what `template` gives for a match of `pattern`. `{ pattern: '^v(?<version>.+)$', template: '${version}' }` */
export interface Extract {
  /** RE2. */
  readonly pattern: string;
  /** `$1`, `$name` or `${name}` stand for groups, as in Go's regexp.Expand. */
  readonly template: string;
}

/** `tag`: no digest is written. `digest`: always `tag@sha256:…`. `keep`: what the file has today. */
export type Pin = 'tag' | 'digest' | 'keep';

/** Where a policy may write. */
export interface PolicyPaths {
  /** From the repository's root; `''` is all of it. */
  readonly globs: readonly string[];
  /** Written by a person: then markers outside do not count either. */
  readonly explicit: boolean;
}

/** One place named by a person: `{ file: 'apps/config.yaml', path: 'proxy.sidecar.version', part: 'tag' }` */
export interface ExplicitTarget {
  /** From the repository's root. */
  readonly file: string;
  /** Keys and indexes: `spec.containers[0].image`; a key with dots stands in `["…"]`. */
  readonly path: string;
  readonly part: 'reference' | 'name' | 'tag' | 'digest';
  readonly source: Place;
}

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof weekdays)[number];

/** A time of the week in which may be written. `{ days: ['mon', 'tue'], from: '22:00', to: '04:00', timeZone: 'Europe/Berlin' }` */
export interface WriteWindow {
  /** On which it begins: what begins on Tuesday may end on Wednesday. */
  readonly days: readonly Weekday[];
  /** Wall clock of the time zone, `HH:MM`; the window has its first minute, and not its last. The same twice is a whole day. */
  readonly from: string;
  readonly to: string;
  /** Of the IANA database. */
  readonly timeZone: string;
}

/** One policy, whatever dialect it was written in. Plain data. */
export interface Policy {
  /** `namespace/name`: unique, and what every message calls it. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** What it is written as: of Argo CD the Application whose image it is for. */
  readonly object: ObjectName;
  /** The repository as written (`ghcr.io/acme/web`): what a marker without a version part writes. */
  readonly image: string;
  readonly repository: ImageRepository;
  readonly select: SelectRule;
  /** RE2 patterns; a tag must match one of `include` (if any are given) and none of `exclude`. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** The whole tag is written, whatever is extracted. */
  readonly extract: Extract | undefined;
  /** Tags, or versions, that are never chosen. */
  readonly skip: readonly string[];
  readonly allowDowngrade: boolean;
  /** Trusted age that a tag must have, in milliseconds; 0 for none. */
  readonly minimumAgeMs: number;
  /** What becomes of a version tag that was moved to another image; absent: it counts as a new one. */
  readonly mutation?: 'block';
  /** `os/arch` or `os/arch/variant`; the image must offer all of these. */
  readonly platforms: readonly string[];
  /** Of tags that are the same version: the shortest, or, as Argo CD has it, the last in code-unit order. */
  readonly ties: 'shortest' | 'last';
  readonly pin: Pin;
  readonly paths: PolicyPaths;
  readonly targets: readonly ExplicitTarget[];
  /** In dialects that know nothing but markers: images are never found by structure. */
  readonly markersOnly: boolean;
  readonly suspend: boolean;
  /** Whether versions are written to the branch itself or proposed in a pull request; absent: commit. */
  readonly mode?: 'commit' | 'pull-request';
  /** Policies of one group are written in one commit of their own; absent: in that of the repository's batch. */
  readonly group?: string;
  /** When versions are written; absent: at any time. */
  readonly windows?: readonly WriteWindow[];
  readonly source: Place;
}
