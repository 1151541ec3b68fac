/** Reads an image's configuration: its labels and the platform it was built for. */
import { createHash } from 'node:crypto';
import { TallymanError } from '../error/tallyman-error.ts';
import type { RepositoryAccess } from './access.ts';
import { parseJsonObject } from './json.ts';
import { formatPlatforms, readAnnotations } from './manifest.ts';

export interface ImageConfig {
  /** Written by the publisher, or inherited from the base image: untrusted. */
  readonly labels: Readonly<Record<string, string>>;
  readonly platforms: readonly string[];
}

/**
 * The configuration blob under the digest, checked against it; the registry may redirect to where its blobs are. Throws
 * RegistryInvalid and what access throws. Source: OCI image-spec, "Image Configuration"; distribution-spec, "Pulling blobs".
 */
export async function fetchImageConfig(
  access: RepositoryAccess,
  digest: string,
  asking: Pick<Parameters<RepositoryAccess['ask']>[0], 'signal' | 'maxTries'>,
): Promise<ImageConfig> {
  const url = new URL(`/v2/${access.repository.path}/blobs/${digest}`, access.origin);
  const answer = await access.ask({ ...asking, url, accept: '*/*', maxBodyBytes: access.limits.maxManifestBytes });
  if (answer.status !== 200) throw access.fail(answer);
  if (`sha256:${createHash('sha256').update(answer.body).digest('hex')}` !== digest)
    throw refuse(access, 'its bytes are not those of its digest');
  const config = parseJsonObject(answer.body);
  if (config === undefined) throw refuse(access, 'it is no JSON object');
  const { config: execution } = config;
  const labels = typeof execution === 'object' && execution !== null && 'Labels' in execution ? execution.Labels : {};
  return { labels: readAnnotations(labels), platforms: formatPlatforms(config) };
}

function refuse(access: RepositoryAccess, found: string): TallymanError {
  const wanted = 'the configuration that the manifest names was wanted';
  return new TallymanError(
    'RegistryInvalid',
    `Cannot ${access.task}: its configuration was sent, but ${found}, ${wanted}`,
  );
}
