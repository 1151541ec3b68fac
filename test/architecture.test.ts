import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, it } from 'node:test';

/** Folders of pure functions: same inputs, same answer. */
const pureFolders = [
  'address',
  'collection',
  'error',
  'image',
  'version',
  'yaml',
  'policy',
  'select',
  'target',
  'edit',
  'hold',
  'propose',
  'reconcile',
  'sighting',
  'signal',
  'webhook',
];
const purePackages = ['yaml', 'semver', 'zod', 're2js', 'node:events'];
/** Replacing a library touches one folder; where two are listed, both speak HTTP. */
const packageFolders: Record<string, readonly string[]> = {
  openpgp: ['git'],
  undici: ['registry', 'git', 'forge'],
  ssh2: ['git'],
  pino: ['cli'],
  'pino-pretty': ['cli'],
  commander: ['cli'],
  diff: ['cli'],
  '@kubernetes/client-node': ['cluster'],
  bullmq: ['redis'],
  ioredis: ['redis'],
  lmdb: ['ledger'],
  'prom-client': ['metrics'],
};
/** Files at the top of src, and the folder that puts the program together, may see every folder. */
const composers = ['src/main.ts', 'src/index.ts'];
const impureWords =
  /\b(process|console|fetch|setTimeout|setInterval|performance|crypto)\b\s*[.(]|\bDate\.now|\bnew Date\(\)|\bMath\.random|\basync\b|\bawait\b/;

interface Import {
  readonly file: string;
  readonly folder: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
  /** `await import()`. */
  readonly late: boolean;
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join('src', name));
const folderOf = (file: string): string => (file.split('/').length > 2 ? (file.split('/')[1] ?? '') : '');
const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
const imports: Import[] = files.flatMap((file) =>
  [
    ...withoutComments(readFileSync(file, 'utf8')).matchAll(
      /(?:^|\s)(import|export)(\s+type)?\b[^;'"]*?from\s+'([^']+)'|import\('([^']+)'\)|^import\s+'([^']+)'/gm,
    ),
  ].map((match) => ({
    file,
    folder: folderOf(file),
    specifier: match[3] ?? match[4] ?? match[5] ?? '',
    typeOnly: match[2] !== undefined,
    late: match[4] !== undefined,
  })),
);
const isComposer = ({ file, folder }: Import): boolean => folder === 'compose' || composers.includes(file);
const targetFolder = (entry: Import): string =>
  folderOf(relative('.', normalize(join(dirname(entry.file), entry.specifier))));
const isRelative = (entry: Import): boolean => entry.specifier.startsWith('.');
const show = (entries: readonly Import[]): string[] =>
  entries.map((entry) => `${entry.file} imports ${entry.specifier}`);

describe('architecture', () => {
  it('sees the imports at all', () => assert.ok(imports.length > 10));

  it('pure folders import pure folders and the pure packages only', () => {
    const wrong = imports
      .filter((entry) => pureFolders.includes(entry.folder))
      .filter((entry) =>
        isRelative(entry)
          ? !pureFolders.includes(targetFolder(entry))
          : !purePackages.includes(entry.specifier.split('/')[0] ?? ''),
      );
    assert.deepEqual(show(wrong), []);
  });

  it('pure folders use no clock, network, environment, console, chance or async', () => {
    const wrong = files
      .filter((file) => pureFolders.includes(folderOf(file)))
      .flatMap((file) =>
        withoutComments(readFileSync(file, 'utf8'))
          .split('\n')
          .filter((line) => impureWords.test(line.replace(/'[^']*'|`[^`]*`/g, '')))
          .map((line) => `${file}: ${line.trim()}`),
      );
    assert.deepEqual(wrong, []);
  });

  it('an I/O folder imports no other I/O folder, but for the types of the ports', () => {
    const wrong = imports
      .filter((entry) => isRelative(entry) && !isComposer(entry) && !pureFolders.includes(entry.folder))
      .filter((entry) => {
        const folder = targetFolder(entry);
        const ports = entry.typeOnly && /\/pipeline\/(?:job-|metrics-|cluster-)?ports\.ts$/.test(entry.specifier);
        const cliStarts = entry.folder === 'cli' && ['pipeline', 'config', ''].includes(folder);
        return folder !== entry.folder && !pureFolders.includes(folder) && !ports && !cliStarts;
      });
    assert.deepEqual(show(wrong), []);
  });

  for (const folder of ['redis', 'cluster'])
    it(`${folder}/ is loaded only where it is configured`, () => {
      const wrong = imports.filter((entry) => {
        const isOutside = isRelative(entry) && entry.folder !== folder && targetFolder(entry) === folder;
        return isOutside && !entry.late && !entry.typeOnly;
      });
      assert.deepEqual(show(wrong), []);
    });

  it('one package, one folder', () => {
    const wrong = imports.filter((entry) => {
      const folders = packageFolders[entry.specifier];
      return folders !== undefined && !folders.includes(entry.folder);
    });
    assert.deepEqual(show(wrong), []);
  });

  it('every package that src imports is a dependency, and is listed here or pure', () => {
    const dependencies = Object.keys(JSON.parse(readFileSync('package.json', 'utf8')).dependencies);
    const wrong = imports.filter((entry) => {
      if (isRelative(entry) || entry.specifier.startsWith('node:')) return false;
      const name = entry.specifier
        .split('/')
        .slice(0, entry.specifier.startsWith('@') ? 2 : 1)
        .join('/');
      return !dependencies.includes(name) || !(purePackages.includes(name) || Object.hasOwn(packageFolders, name));
    });
    assert.deepEqual(show(wrong), []);
  });
});
