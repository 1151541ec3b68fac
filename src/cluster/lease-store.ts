/** One Lease in the cluster, changed by compare-and-swap. */
import { TallymanError } from '../error/tallyman-error.ts';
import type { ApiAnswer, KubernetesApi } from './api.ts';
import type { LeaseObject } from './lease.ts';
import { formatPath } from './resource-path.ts';

interface CallOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** Failures are ClusterUnavailable and ClusterDenied. */
export interface LeaseStore {
  /** Undefined where it is not there. */
  read(options: CallOptions): Promise<LeaseObject | undefined>;
  /** The Lease as it was written, which has to be as it was read, or made where it was not there; undefined: it is another by now. */
  write(lease: LeaseObject, options: CallOptions): Promise<LeaseObject | undefined>;
}

const resource = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases' };

/** 404: it was deleted. 409: another was faster. */
const outpaced: readonly number[] = [404, 409];

export function createLeaseStore(
  api: KubernetesApi,
  { namespace, name }: { namespace: string; name: string },
): LeaseStore {
  const path = formatPath(resource, { namespace, name });
  return {
    async read(options) {
      const answer = await api.request<LeaseObject>({ method: 'GET', path, ...options });
      if (answer.kind === 'done') return answer.body;
      if (answer.status === 404) return undefined;
      throw refused('read', name, answer);
    },
    async write(lease, options) {
      const isNew = lease.metadata.resourceVersion === undefined;
      const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', ...lease };
      const answer = await api.request<LeaseObject>({
        ...(isNew ? { method: 'POST', path: formatPath(resource, { namespace }) } : { method: 'PUT', path }),
        body,
        ...options,
      });
      if (answer.kind === 'done') return answer.body;
      if (outpaced.includes(answer.status) && !(isNew && answer.status === 404)) return undefined;
      throw refused('write', name, answer);
    },
  };
}

function refused(verb: string, name: string, { message }: ApiAnswer<never> & { kind: 'refused' }): TallymanError {
  return new TallymanError(
    'ClusterUnavailable',
    `Cannot ${verb} Lease "${name}": the API server says "${message}", a Lease was wanted`,
  );
}
