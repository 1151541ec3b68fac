/** Which untracked files git passes over. Source: git's "gitignore". */

/** The rules of one file of patterns. */
export interface IgnoreRules {
  /** Whether the last pattern that fits ignores the path or takes it back; undefined where none fits. */
  decide(path: string, isFolder: boolean): boolean | undefined;
}

interface Rule {
  readonly pattern: RegExp;
  readonly ignores: boolean;
  readonly foldersOnly: boolean;
}

/**
 * The rules in the text of a `.gitignore`; paths are given from the folder that it lies in.
 *
 * @example
 * parseIgnoreRules('*.tmp\n!keep.tmp\n').decide('a/keep.tmp', false) // false
 */
export function parseIgnoreRules(text: string): IgnoreRules {
  const rules = text
    .replace(/^\ufeff/, '')
    .split('\n')
    .flatMap((line) => parseRule(line) ?? []);
  return {
    decide: (path, isFolder) =>
      rules.findLast((rule) => (isFolder || !rule.foldersOnly) && rule.pattern.test(path))?.ignores,
  };
}

/** Longest pattern looked at; git's own have no limit, people's are short. */
const maxPatternChars = 1000;

function parseRule(line: string): Rule | undefined {
  const trimmed = line.replace(/\r$/, '').replace(/(?<!\\) +$/, '');
  if (trimmed === '' || trimmed.startsWith('#') || trimmed.length > maxPatternChars) return undefined;
  const ignores = !trimmed.startsWith('!');
  const named = ignores ? trimmed : trimmed.slice(1);
  const foldersOnly = named.endsWith('/');
  const glob = foldersOnly ? named.slice(0, -1) : named;
  if (glob === '') return undefined;
  // Without a slash inside it, a pattern fits a name at any depth.
  const source = glob.includes('/') ? translate(glob.replace(/^\//, '')) : `(?:.*/)?${translate(glob)}`;
  try {
    return { pattern: new RegExp(`^${source}$`, 's'), ignores, foldersOnly };
  } catch {
    return undefined;
  }
}

/** One piece of a pattern at a time: `**` between slashes, `*`, `?`, a class, an escaped or a plain character. */
const piece = /^\*\*\/+|\/\*\*(?:\/+\*\*)*(?=\/|$)|\*+|\?|\[[!^]?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\\?./gs;

function translate(glob: string): string {
  return glob.replace(piece, (part, at: number) => {
    if (part.startsWith('**/')) return '(?:.*/)?';
    if (part.startsWith('/**')) return at + part.length === glob.length ? '/.+' : '(?:/.*)?';
    if (part.startsWith('*')) return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.length > 1 && part.startsWith('[')) return translateClass(part);
    return escapeText(part.length > 1 ? part.slice(1) : part);
  });
}

const posixClasses: Readonly<Record<string, string>> = {
  alpha: 'A-Za-z',
  digit: '0-9',
  alnum: 'A-Za-z0-9',
  upper: 'A-Z',
  lower: 'a-z',
  space: '\\s',
  xdigit: '0-9A-Fa-f',
};

/** `[!a-c]` does not fit a slash. */
function translateClass(part: string): string {
  const negated = /^\[[!^]/.test(part);
  const inside = part
    .slice(negated ? 2 : 1, -1)
    .replace(/\[:(\w+):\]|\\(.)|([[\]\\^])/g, (_, name: string | undefined, escaped = '', plain = '') =>
      name === undefined ? `\\${escaped}${plain}`.replace(/\\(\w)$/, '$1') : (posixClasses[name] ?? ''),
    );
  return `(?!/)[${negated ? '^' : ''}${inside}]`;
}

function escapeText(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
