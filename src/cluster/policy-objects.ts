/** The `ImagePolicy` objects that the cluster has, where somebody applies them there too: one watch for all who want them. */
import type { ObjectName } from '../error/tallyman-error.ts';
import type { KubernetesApi } from './api.ts';
import type { Resource } from './resource-path.ts';
import { type ClusterObject, createWatchedObjects, type WatchedObjects, type WatchOptions } from './watch-objects.ts';

export const imagePolicies: Resource = { group: 'tallyman.dev', version: 'v1alpha1', plural: 'imagepolicies' };

export const imagePolicyVersion = `${imagePolicies.group}/${imagePolicies.version}`;

/** Whether it is one of these, and no policy of another dialect. */
export function isImagePolicy({ apiVersion, kind }: Pick<ObjectName, 'apiVersion' | 'kind'>): boolean {
  return apiVersion === imagePolicyVersion && kind === 'ImagePolicy';
}

export interface ImagePolicyObject extends ClusterObject {
  readonly status?: unknown;
}

/** Of all namespaces, without their specs: Git has those. None where the cluster does not have the kind. */
export function watchPolicyObjects(
  api: KubernetesApi,
  options: Pick<WatchOptions<ImagePolicyObject>, 'clock' | 'onProblem' | 'onChange'>,
): WatchedObjects<ImagePolicyObject> {
  return createWatchedObjects<ImagePolicyObject>(api, {
    ...options,
    resource: imagePolicies,
    shrink: ({ metadata, status }) => ({ metadata, ...(status !== undefined && { status }) }),
  });
}
