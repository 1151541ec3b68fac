import type { CalverRule } from '../policy/policy.ts';
import { parseCalverLayout } from '../version/calver-layout.ts';
import { compareDigits } from '../version/version.ts';
import type { VersionOrder } from './version-order.ts';

/** Versions of a calendar layout, field by field, the first field first. */
export function createCalverOrder(rule: CalverRule): VersionOrder<readonly string[]> {
  const layout = parseCalverLayout(rule.layout);
  return {
    parse: layout.read,
    unparsed: `not of layout "${rule.layout}"`,
    reject: () => undefined,
    compare(a, b) {
      for (const [index, left] of a.entries()) {
        const difference = compareFields(left, b[index] ?? '');
        if (difference !== 0) return difference;
      }
      return 0;
    },
  };
}

function compareFields(a: string, b: string): number {
  if (/^[0-9]+$/.test(a) && /^[0-9]+$/.test(b)) return compareDigits(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}
