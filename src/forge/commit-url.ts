import { apiPaths, type ForgeKind, type ForgePlace } from './find-forge.ts';

/** Source: addresses of commits on GitHub, GitLab and Gitea. */
const commitPaths: Readonly<Record<ForgeKind, string>> = {
  github: '/commit/',
  gitlab: '/-/commit/',
  gitea: '/commit/',
};

/**
 * Where people look at a commit; undefined where the forge's own address does not follow from that of its API. Without
 * credentials.
 *
 * @example
 * formatCommitUrl({ kind: 'github', apiUrl: 'https://api.github.com', project: 'acme/deploy', host: 'github.com' }, '3f2a') // 'https://github.com/acme/deploy/commit/3f2a'
 */
export function formatCommitUrl({ kind, apiUrl, project }: ForgePlace, commit: string): string | undefined {
  const web = findWeb(kind, new URL(apiUrl));
  if (web === undefined) return undefined;
  const names = project.split('/').map(encodeURIComponent).join('/');
  return `${web}/${names}${commitPaths[kind]}${encodeURIComponent(commit)}`;
}

function findWeb(kind: ForgeKind, { protocol, host, pathname }: URL): string | undefined {
  if (host === 'api.github.com') return 'https://github.com';
  if (!pathname.endsWith(apiPaths[kind])) return undefined;
  return `${protocol}//${host}${pathname.slice(0, -apiPaths[kind].length)}`;
}
