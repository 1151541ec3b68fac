/** The programs for tests that are built from Go source: what they are, and where the built ones are kept. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How to build one program; its go.mod and go.sum are in `test/services/<sources>/`. */
interface GoTool {
  readonly sources: string;
  /** The module of the program, which go.mod pins. */
  readonly module: string;
  readonly package: string;
  readonly tags: readonly string[];
  /** Needs a C compiler. */
  readonly cgo: boolean;
  /** Variables that the linker sets; `{version}` stands for the module's version without its `v`, `{major}` and `{minor}` for its parts. */
  readonly variables: Readonly<Record<string, string>>;
  /** Folders of the module that the program reads when it runs; kept beside it. */
  readonly folders: readonly string[];
  /** Taken from the folder that KUBEBUILDER_ASSETS names, where it is there. */
  readonly kubebuilder: boolean;
}

/** What the program would be without these: a version of its own, which no client knows. */
const kubernetesVersion = Object.fromEntries(
  ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((path) => [
    [`${path}.gitVersion`, 'v{version}'],
    [`${path}.gitMajor`, '{major}'],
    [`${path}.gitMinor`, '{minor}'],
  ]),
);
const kubernetes = {
  sources: 'kube-apiserver',
  module: 'k8s.io/kubernetes',
  tags: [],
  cgo: false,
  variables: kubernetesVersion,
  folders: [],
  kubebuilder: true,
} as const;

/** A new program is a new row, and a folder with its go.mod and go.sum. */
export const goTools = {
  gitea: {
    sources: 'gitea',
    module: 'code.gitea.io/gitea',
    package: 'code.gitea.io/gitea',
    // SQLite is C; the other databases would be one more server to start.
    tags: ['sqlite', 'sqlite_unlock_notify'],
    cgo: true,
    variables: { 'main.Version': '{version}' },
    folders: ['options', 'public', 'templates'],
    kubebuilder: false,
  },
  'kube-apiserver': { ...kubernetes, package: 'k8s.io/kubernetes/cmd/kube-apiserver' },
  kubectl: { ...kubernetes, package: 'k8s.io/kubernetes/cmd/kubectl' },
  etcd: {
    sources: 'etcd',
    module: 'go.etcd.io/etcd/server/v3',
    package: 'go.etcd.io/etcd/server/v3',
    tags: [],
    cgo: false,
    variables: {},
    folders: [],
    kubebuilder: true,
  },
} as const satisfies Record<string, GoTool>;

export type GoToolName = keyof typeof goTools;

/** The folder of the tool's go.mod. */
export function moduleFolder(name: GoToolName): string {
  return fileURLToPath(new URL(`./${goTools[name].sources}/`, import.meta.url));
}

/**
 * Where the built tool is kept, built or not: `~/.cache/tallyman/tools/gitea-1.26.0-0123456789ab`. Outside of the
 * checkout, so that a clean one need not build again; another name for other sources.
 */
export function toolFolder(name: GoToolName): string {
  const sum = readFileSync(join(moduleFolder(name), 'go.sum'), 'utf8');
  const sources = JSON.stringify([readMod(name), sum, goTools[name]]);
  const hash = createHash('sha256').update(sources).digest('hex').slice(0, 12);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(cache, 'tallyman', 'tools', `${name}-${findToolVersion(name)}-${hash}`);
}

/** The tool's program, built or brought by the user; undefined where there is none. */
export function findBuiltTool(name: GoToolName): string | undefined {
  const assets = goTools[name].kubebuilder ? process.env.KUBEBUILDER_ASSETS : undefined;
  const brought = assets ? [join(assets, name)] : [];
  return [...brought, join(toolFolder(name), name)].find((path) => existsSync(path));
}

/** The tool's program; throws where it is not built. */
export function findTool(name: GoToolName): string {
  const program = findBuiltTool(name);
  if (program !== undefined) return program;
  throw new Error(
    `Cannot find the test server "${name}": "${join(toolFolder(name), name)}" is not there. Run \`npm run services\`.`,
  );
}

/** The version of the tool's module, without the `v`: `1.26.0` */
export function findToolVersion(name: GoToolName): string {
  const { module } = goTools[name];
  for (const line of readMod(name).split('\n')) {
    const [path, version] = line
      .trim()
      .replace(/^require\s+/, '')
      .split(/\s+/);
    if (path === module && version?.startsWith('v')) return version.slice(1);
  }
  throw new Error(`Cannot find the version of "${module}": the go.mod of ${name} does not require it.`);
}

function readMod(name: GoToolName): string {
  return readFileSync(join(moduleFolder(name), 'go.mod'), 'utf8');
}
