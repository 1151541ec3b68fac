import type { Policy, SelectKind, SelectRule } from '../policy/policy.ts';
import { createAlphabeticalOrder } from './alphabetical-order.ts';
import { createCalverOrder } from './calver-order.ts';
import { createDigestOrder } from './digest-order.ts';
import { createNewestOrder } from './newest-order.ts';
import { createNumericalOrder } from './numerical-order.ts';
import { createSemverOrder } from './semver-order.ts';
import type { TagFacts } from './tag-facts.ts';

/** How one policy kind reads, admits and orders versions. */
export interface VersionOrder<Version = unknown> {
  /** The version in the text (what was extracted from a tag); undefined where it is none. */
  parse(text: string, facts: TagFacts | undefined): Version | undefined;
  /** What a text without a version is told. */
  readonly unparsed: string;
  /** Why the version is not wanted; undefined where it is. */
  reject(version: Version): string | undefined;
  /** Negative where `a` is below `b`; zero for versions that differ in spelling only. */
  compare(a: Version, b: Version): number;
}

/** A policy kind is one file and one row here. */
const orders: { readonly [Kind in SelectKind]: (rule: Extract<SelectRule, { kind: Kind }>) => VersionOrder } = {
  semver: createSemverOrder,
  calver: createCalverOrder,
  numerical: createNumericalOrder,
  alphabetical: createAlphabeticalOrder,
  newest: createNewestOrder,
  digest: createDigestOrder,
};

/** The order that the policy's kind asks for; throws `PolicyInvalid` where its range or layout cannot be used. */
export function createVersionOrder({ select }: Policy): VersionOrder {
  const create = orders[select.kind] as (rule: SelectRule) => VersionOrder;
  return create(select);
}
