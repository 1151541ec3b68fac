/** Secrets of the cluster in the configuration: they are named, and may be, in the same way everywhere. */
import { z } from 'zod';
import { maxNameLength, maxNamespaceLength, namePattern, namespacePattern } from '../policy/object-name.ts';

export const namespaceSchema = z
  .string()
  .max(maxNamespaceLength)
  .regex(namespacePattern, { message: 'a namespace: lower-case letters, digits and "-"' });

export const objectNameSchema = z
  .string()
  .max(maxNameLength)
  .regex(namePattern, { message: 'a name of Kubernetes: lower-case letters, digits, "-" and "."' });

export const secretRefSchema = z.strictObject({
  name: objectNameSchema,
  namespace: namespaceSchema
    .optional()
    .describe("Tallyman's own if left out; another one has to be in `kubernetes.secretNamespaces`."),
});

/** Of a Secret one key, which is this one if left out. */
export function secretKeySchema(key: string) {
  return secretRefSchema.extend({
    key: z
      .string()
      .regex(/^[-._a-zA-Z0-9]{1,253}$/, { message: 'a key of a Secret: letters, digits, "-", "_" and "."' })
      .default(key),
  });
}

/** The authorities in a Secret, instead of a file. */
export const caSecretSchema = secretKeySchema('ca.crt').describe('Secret of the cluster that holds that, as PEM.');

/** PEM of a certificate and its key, from files or from a Secret of type kubernetes.io/tls. */
export const clientCertificateSchema = z
  .strictObject({
    certFile: z.string().min(1).optional(),
    keyFile: z.string().min(1).optional(),
    secret: secretRefSchema.optional().describe('With the keys tls.crt and tls.key.'),
  })
  .refine(
    ({ certFile, keyFile, secret }) =>
      secret === undefined
        ? certFile !== undefined && keyFile !== undefined
        : certFile === undefined && keyFile === undefined,
    { message: 'certFile and keyFile, or secret alone' },
  );

/** Whether one of both is missing: they are two places of the same. */
export function hasOneCa({ caFile, caSecret }: { caFile?: unknown; caSecret?: unknown }): boolean {
  return caFile === undefined || caSecret === undefined;
}

export const oneCaWanted = { path: ['caSecret'], message: 'at most one of caFile and caSecret' };

interface FoundRef {
  readonly path: readonly (string | number)[];
  readonly name: string;
  readonly namespace?: string | undefined;
}

const refFields: readonly string[] = ['secret', 'caSecret'];
const refLists: readonly string[] = ['pullSecrets', 'serviceAccounts'];

/**
 * Every Secret and service account that a valid configuration names, with its place there.
 *
 * @example
 * findSecretRefs({ repos: [{ ssh: { secret: { name: 'git' } } }] }) // [{ path: ['repos', 0, 'ssh', 'secret'], name: 'git' }]
 */
export function findSecretRefs(value: unknown, path: readonly (string | number)[] = []): readonly FoundRef[] {
  if (typeof value !== 'object' || value === null) return [];
  if (isRefPath(path)) {
    const { name, namespace } = value as SecretRefConfig;
    return [{ path, name, ...(namespace !== undefined && { namespace }) }];
  }
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : Object.entries(value);
  return entries.flatMap(([key, inner]) => findSecretRefs(inner, [...path, key]));
}

/** Told by the field's name, which stands for nothing else in the schema; so no place can be forgotten. */
function isRefPath(path: readonly (string | number)[]): boolean {
  const [list, last] = [path.at(-2), path.at(-1)];
  return typeof last === 'number' ? refLists.includes(String(list)) : refFields.includes(String(last));
}

type SecretRefConfig = z.infer<typeof secretRefSchema>;
export type SecretKeyConfig = z.infer<ReturnType<typeof secretKeySchema>>;
