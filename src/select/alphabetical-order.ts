import type { AlphabeticalRule } from '../policy/policy.ts';
import { compareText } from './compare-text.ts';
import type { VersionOrder } from './version-order.ts';

/** Code-unit order of the text. */
export function createAlphabeticalOrder({ order }: AlphabeticalRule): VersionOrder<string> {
  return {
    parse: (text) => (text === '' ? undefined : text),
    unparsed: 'empty',
    reject: () => undefined,
    compare: order === 'asc' ? compareText : (a, b) => compareText(b, a),
  };
}
