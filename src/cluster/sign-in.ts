/** Who asks the API server: credentials of the kubeconfig, or of the pod, for each request. */
import type https from 'node:https';
import type { Cluster, KubeConfig } from '@kubernetes/client-node';
import { printable } from '../error/printable.ts';
import { TallymanError } from '../error/tallyman-error.ts';
import { untilAborted } from '../signal/until-aborted.ts';

export interface SignIn {
  readonly cluster: Cluster;
  /** Of the context; `default` where that tells none. */
  readonly namespace: string;
  /**
   * Adds the credentials. Throws `ClusterDenied` where they cannot be had, `ClusterUnavailable` where that takes longer than
   * the signal: a kubeconfig may name a program that gives them.
   */
  apply(options: https.RequestOptions, signal: AbortSignal): Promise<void>;
  /** They were not accepted: the next request reads them anew. What keeps them goes by the wall's clock, which may be set back. */
  renew(): void;
}

/** A program that gives credentials is given up after so long. */
const hangingMs = 60_000;

/** Throws `ConfigInvalid` where no cluster is named, or one that is not spoken to by TLS. */
export function createSignIn(load: () => KubeConfig): SignIn {
  let config = load();
  /** One program at a time gives them: one that hangs is begun again, but not for each request. */
  let coming: Promise<https.RequestOptions> | undefined;
  const cluster = findCluster(config);

  function begin(): Promise<https.RequestOptions> {
    const credentials = getCredentials(config);
    const letGo = (): void => {
      clearTimeout(timer);
      if (coming === credentials) coming = undefined;
    };
    const timer = setTimeout(letGo, hangingMs).unref();
    credentials.then(letGo, letGo);
    return credentials;
  }

  return {
    cluster,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace?.trim() || 'default',
    async apply(options, signal) {
      coming ??= begin();
      const { headers, ...credentials } = await untilAborted(coming, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
        const message = `Cannot sign in to Kubernetes: ${what} did not come in time, sooner was wanted`;
        throw new TallymanError('ClusterUnavailable', message);
      });
      const token = (headers as Record<string, string>).Authorization;
      // A token from a file may end with a line break, which no header bears.
      const added = { ...headers, ...(token !== undefined && { Authorization: token.trim() }) };
      Object.assign(options, credentials, { headers: { ...options.headers, ...added } });
    },
    renew() {
      try {
        const fresh = load();
        // What is meant for another server is not shown to this one.
        if (fresh.getCurrentCluster()?.server === cluster.server) config = fresh;
      } catch {
        // A file that is just being written: it is read at the next refusal.
      }
    },
  };
}

function findCluster(config: KubeConfig): Cluster {
  const cluster = config.getCurrentCluster();
  if (cluster === null)
    throw new TallymanError('ConfigInvalid', 'Cannot use the kubeconfig: its context names no cluster, one was wanted');
  const url = URL.canParse(cluster.server) ? new URL(cluster.server) : undefined;
  if (url?.protocol === 'https:') return cluster;
  // Not the whole of it: there may be a password in it.
  const found = url === undefined ? 'no address' : `at "${printable(`${url.protocol}//${url.host}`)}"`;
  const message = `Cannot use the kubeconfig: its server is ${found}, an https address was wanted`;
  const remedy =
    'Name the API server itself, with its certificate authority: what `kubectl proxy` offers is not encrypted.';
  throw new TallymanError('ConfigInvalid', message, { remedy });
}

async function getCredentials(config: KubeConfig): Promise<https.RequestOptions> {
  const options: https.RequestOptions = { headers: {} };
  try {
    await config.applyToHTTPSOptions(options);
    return options;
  } catch (cause) {
    const message = `Cannot sign in to Kubernetes: ${what} cannot be read, readable ones were wanted`;
    throw new TallymanError('ClusterDenied', message, { cause });
  }
}

const what = 'the credentials that the service account or the kubeconfig names';
