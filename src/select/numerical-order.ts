import type { NumericalRule } from '../policy/policy.ts';
import { compareDecimals, type Decimal, parseDecimal } from '../version/decimal.ts';
import type { VersionOrder } from './version-order.ts';

/** Exact decimals of any length. */
export function createNumericalOrder({ order }: NumericalRule): VersionOrder<Decimal> {
  return {
    parse: parseDecimal,
    unparsed: 'not a number',
    reject: () => undefined,
    compare: order === 'asc' ? compareDecimals : (a, b) => compareDecimals(b, a),
  };
}
