/** Hosts of registries in the configuration. */
import { z } from 'zod';
import { describeHostFault, normalizeRegistryHost } from '../image/registry-host.ts';

/** A host as image references have it once they are read. */
export const hostSchema = z
  .string()
  .min(1)
  .max(255)
  .superRefine((host, context) => {
    const message = describeHostFault(host);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  })
  .overwrite(normalizeRegistryHost);
