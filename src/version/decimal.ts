import { compareDigits } from './version.ts';

/** A decimal number, exact at any length. `-12.50` is `{ negative: true, whole: '12', fraction: '5' }`. */
export interface Decimal {
  readonly negative: boolean;
  readonly whole: string;
  readonly fraction: string;
}

const decimalPattern = /^([-+]?)([0-9]+)(?:\.([0-9]+))?$/;

/** The number; undefined for everything else, also `inf`, `nan`, `1e5` and `0x1F`. */
export function parseDecimal(text: string): Decimal | undefined {
  const match = decimalPattern.exec(text);
  if (match === null) return undefined;
  const whole = (match[2] ?? '0').replace(/^0+(?=.)/, '');
  const fraction = (match[3] ?? '').replace(/0+$/, '');
  return { negative: match[1] === '-' && !(whole === '0' && fraction === ''), whole, fraction };
}

/** Negative where `a` is the smaller number. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  if (a.negative !== b.negative) return a.negative ? -1 : 1;
  const difference =
    compareDigits(a.whole, b.whole) || (a.fraction < b.fraction ? -1 : a.fraction > b.fraction ? 1 : 0);
  return a.negative ? -difference : difference;
}
