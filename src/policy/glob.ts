import { parsePattern } from './pattern.ts';

/**
 * Whether paths match a glob: `*` within one folder's name, `**` over any number of folders, `?` one character; a glob
 * that names a folder matches all below it. Both are relative to the
 * repository's root; `./` and `/` before it or after it make no difference, and what leads out matches nothing. Linear time.
 *
 * @example
 * createGlob('apps/**')('apps/web/deploy.yaml') // true
 */
export function createGlob(text: string): (path: string) => boolean {
  const glob = resolveGlob('', text);
  if (glob === undefined) return () => false;
  if (glob === '' || glob === '**') return () => true;
  if (!/[*?]/.test(glob)) return (path) => path === glob || path.startsWith(`${glob}/`);
  const body = glob.replace(/\*\*\/|\*\*|\*|\?|[^*?]+/g, (part) => {
    if (part === '**/') return '(?:[^/]+/)*';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    return part === '?' ? '[^/]' : part.replace(/[\\^$.|+()[\]{}]/g, '\\$&');
  });
  const pattern = parsePattern(`^(?s:${body})(?:/|$)`);
  return (path) => pattern.test(path);
}

/** The glob from the repository's root, `.` and `..` resolved; undefined where it leads out of the repository. `a` + `../b/**` is `b/**` */
export function resolveGlob(folder: string, glob: string): string | undefined {
  const rooted = glob.startsWith('/');
  const parts: string[] = rooted || folder === '' ? [] : folder.split('/');
  for (const part of glob.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}
