import type { DigestRule } from '../policy/policy.ts';
import type { VersionOrder } from './version-order.ts';

/** The one tag that is followed; which digest is behind it decides select-tag.ts. */
export function createDigestOrder({ tag }: DigestRule): VersionOrder<string> {
  return {
    parse: (text) => (text === tag ? text : undefined),
    unparsed: `not the tag "${tag}" that is followed`,
    reject: () => undefined,
    compare: () => 0,
  };
}
