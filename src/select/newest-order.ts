import type { NewestRule } from '../policy/policy.ts';
import type { VersionOrder } from './version-order.ts';

/** By trusted time; a tag of which none is known is no candidate. */
export function createNewestOrder(_rule: NewestRule): VersionOrder<number> {
  return {
    parse: (_text, facts) => facts?.seenMs,
    unparsed: 'no trusted time is known',
    reject: () => undefined,
    compare: (a, b) => a - b,
  };
}
