import type { Policy, SelectKind, SelectRule } from '../policy/policy.ts';
import { createSemverOrder } from './semver-order.ts';

/** How one policy kind reads, admits and orders versions. */
export interface VersionOrder<Version = unknown> {
  /** The version in the text; undefined where it is none. */
  parse(text: string): Version | undefined;
  /** Why the version is not wanted; undefined where it is. */
  reject(version: Version): string | undefined;
  /** Negative where `a` is below `b`; zero for versions that differ in spelling only. */
  compare(a: Version, b: Version): number;
}

/** A policy kind is one file and one row here. */
const orders: { readonly [Kind in SelectKind]: (rule: Extract<SelectRule, { kind: Kind }>) => VersionOrder } = {
  semver: createSemverOrder,
};

/** The order that the policy's kind asks for. */
export function createVersionOrder(policy: Policy): VersionOrder {
  return orders[policy.select.kind](policy.select);
}
