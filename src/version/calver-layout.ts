import { TallymanError } from '../error/tallyman-error.ts';

/** A parsed layout: reads the numbers of a version in their order. */
export interface CalverLayout {
  /** The fields' values, most significant first: whole numbers as digits, a modifier as text; undefined where the text is no such version. */
  read(text: string): readonly string[] | undefined;
}

interface Field {
  readonly pattern: string;
  readonly min?: number;
  readonly max?: number;
}

/** Source: the scheme words of calver.org. Zero-padded forms (`0M`) want two digits, the others take one or two. */
const fields: Readonly<Record<string, Field>> = {
  YYYY: { pattern: '[0-9]{4}' },
  '0Y': { pattern: '[0-9]{2,3}' },
  YY: { pattern: '[0-9]{1,3}' },
  '0M': { pattern: '[0-9]{2}', min: 1, max: 12 },
  MM: { pattern: '[0-9]{1,2}', min: 1, max: 12 },
  '0W': { pattern: '[0-9]{2}', min: 1, max: 53 },
  WW: { pattern: '[0-9]{1,2}', min: 1, max: 53 },
  '0D': { pattern: '[0-9]{2}', min: 1, max: 31 },
  DD: { pattern: '[0-9]{1,2}', min: 1, max: 31 },
  MAJOR: { pattern: '[0-9]{1,18}' },
  MINOR: { pattern: '[0-9]{1,18}' },
  MICRO: { pattern: '[0-9]{1,18}' },
  MODIFIER: { pattern: '[0-9A-Za-z.-]{1,64}' },
};
const word = /YYYY|0Y|YY|0M|MM|0W|WW|0D|DD|MAJOR|MINOR|MICRO|MODIFIER/g;
const maxLayoutChars = 100;

/** The layout, such as `YYYY.0M.MICRO` or `vYY.MM-MODIFIER`; a leading `v` of a version is let through. Throws `PolicyInvalid`. */
export function parseCalverLayout(text: string): CalverLayout {
  const names = text.length > maxLayoutChars ? [] : (text.match(word) ?? []);
  const between = text.split(word);
  const stray = between.find((part) => /[A-Z]|[^ -~]/.test(part));
  if (names.length === 0 || stray !== undefined)
    throw invalid(text, names.length === 0 ? 'it holds no word of a layout' : `"${stray}" is no word of a layout`);
  if (new Set(names).size !== names.length) throw invalid(text, 'a word stands in it twice');
  const body = names.map((name, index) => `${escapePattern(between[index] ?? '')}(${fields[name]?.pattern})`).join('');
  const pattern = new RegExp(`^v?${body.replace(/^v/, '')}${escapePattern(between.at(-1) ?? '')}$`);
  return {
    read(version) {
      const values = version.length > 128 ? undefined : pattern.exec(version)?.slice(1);
      return values?.every((value, index) => isWithin(fields[names[index] ?? ''], value)) ? values : undefined;
    },
  };
}

function isWithin(field: Field | undefined, value: string): boolean {
  const { min = 0, max = Number.POSITIVE_INFINITY } = field ?? {};
  return max === Number.POSITIVE_INFINITY || (Number(value) >= min && Number(value) <= max);
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}

function invalid(text: string, found: string): TallymanError {
  return new TallymanError(
    'PolicyInvalid',
    `Cannot use layout ${JSON.stringify(text.slice(0, maxLayoutChars))}: ${found}, a layout of calver.org was wanted`,
    {
      remedy: 'Write a layout such as "YYYY.MM.MICRO", "YY.0M" or "YYYY.0M.0D-MODIFIER".',
    },
  );
}
