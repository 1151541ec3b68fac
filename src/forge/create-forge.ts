/** The forge of a Yaml repo behind the port `Forge`. */
import type { Forge } from '../pipeline/ports.ts';
import type { AdapterTools, ForgeCredential } from './adapter.ts';
import type { ForgeKind, ForgePlace } from './find-forge.ts';
import { createGiteaForge } from './gitea.ts';
import { createGithubForge, githubHeaders } from './github.ts';
import { createGitlabForge } from './gitlab.ts';
import { createForgeHttp, type ForgeTls } from './http.ts';
import { defaultForgeLimits, type ForgeLimits } from './limits.ts';

interface ForgeRow {
  create(tools: AdapterTools): Forge;
  readonly headers?: Readonly<Record<string, string>>;
  /** The Authorization header. */
  authorize(credential: ForgeCredential): string;
}

const forges: Readonly<Record<ForgeKind, ForgeRow>> = {
  github: { create: createGithubForge, headers: githubHeaders, authorize: ({ token }) => `Bearer ${token}` },
  // Source: GitLab's "REST API authentication": access tokens of every kind are taken as OAuth's are.
  gitlab: { create: createGitlabForge, authorize: ({ token }) => `Bearer ${token}` },
  // Source: Gitea's "API Usage". Basic takes passwords and tokens alike.
  gitea: {
    create: createGiteaForge,
    authorize: ({ username, token }) =>
      username === undefined ? `token ${token}` : `Basic ${Buffer.from(`${username}:${token}`).toString('base64')}`,
  },
};

export interface CreateForgeOptions {
  readonly place: ForgePlace;
  /** Asked at each request; undefined asks without one. */
  readonly credential: (options: { signal: AbortSignal }) => Promise<ForgeCredential | undefined>;
  /** Asked at each request; what it throws, the call throws. */
  readonly tls?: (() => ForgeTls) | undefined;
  /** Address of the HTTP proxy for a URL; default none for any. */
  readonly proxy?: ((url: URL) => string | undefined) | undefined;
  /** Asked right before a request leaves that changes something; what it throws, the call throws. */
  readonly checkWrite?: (() => void) | undefined;
  readonly limits?: Partial<ForgeLimits> | undefined;
  readonly now: () => number;
  readonly random: () => number;
  readonly sleep: (ms: number, options: { signal: AbortSignal }) => Promise<void>;
}

export type ClosableForge = Forge & {
  /** Ends connections; the forge is not used after it. */
  close(): Promise<void>;
};

/**
 * The forge at that place. A call is one or more requests in a row, each tried again where that may help and waiting as
 * long as the forge asks, within limits; beyond them it fails with ForgeUnavailable, and no request is made before the
 * time that the forge named.
 */
export function createForge({ place, credential, limits: given, ...tools }: CreateForgeOptions): ClosableForge {
  const { kind, apiUrl, project, host } = place;
  const row = forges[kind];
  const limits = { ...defaultForgeLimits, ...given };
  const authorize = async (options: { signal: AbortSignal }) => {
    const found = await credential(options);
    if (found === undefined) return undefined;
    const header = row.authorize(found);
    return { header, secrets: [found.token, header.slice(header.indexOf(' ') + 1)] };
  };
  const http = createForgeHttp({ ...tools, apiUrl, authorize, headers: row.headers, limits });
  return { ...row.create({ http, project, limits, host }), close: http.close };
}
