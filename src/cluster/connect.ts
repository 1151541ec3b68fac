import { existsSync } from 'node:fs';
import { KubeConfig } from '@kubernetes/client-node';
import { TallymanError } from '../error/tallyman-error.ts';
import { createKubernetesApi, type KubernetesApi } from './api.ts';

/** Where the cluster is found: by a kubeconfig file and its context, else by the pod's own service account. */
export interface ClusterPlace {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
}

const tokenFile = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** The API server that the configuration names; nothing is contacted yet. Throws `ConfigInvalid`. */
export function connectCluster(place: ClusterPlace): KubernetesApi {
  return createKubernetesApi(() => loadKubeConfig(place));
}

function loadKubeConfig({ kubeconfig, context }: ClusterPlace): KubeConfig {
  const config = new KubeConfig();
  if (kubeconfig === undefined) {
    if (process.env.KUBERNETES_SERVICE_HOST === undefined || !existsSync(tokenFile)) {
      const message = `Cannot use Kubernetes: "${tokenFile}" and KUBERNETES_SERVICE_HOST are not there, a pod with a service account was wanted`;
      const remedy =
        'Run in a cluster, name a file under `kubernetes.kubeconfig` in the configuration, or set `kubernetes: off`.';
      throw new TallymanError('ConfigInvalid', message, { remedy });
    }
    config.loadFromCluster();
    return config;
  }
  try {
    config.loadFromFile(kubeconfig);
  } catch (cause) {
    const message = `Cannot read kubeconfig "${kubeconfig}": it is not there or no kubeconfig, a readable one was wanted`;
    throw new TallymanError('ConfigInvalid', message, { cause });
  }
  if (context !== undefined && config.getContextObject(context) === null) {
    const known = config.contexts.map(({ name }) => `"${name}"`).join(', ');
    const message = `Cannot use context "${context}" of kubeconfig "${kubeconfig}": it has ${known === '' ? 'none' : known}, one of its contexts was wanted`;
    throw new TallymanError('ConfigInvalid', message);
  }
  if (context !== undefined) config.setCurrentContext(context);
  return config;
}
