/** Settings of the Redis that several workers share. No address is ever repeated in a message: it may hold a secret. */
import { z } from 'zod';
import { caSecretSchema, hasOneCa, oneCaWanted, secretRefSchema } from './secret-ref-schema.ts';

const fileSchema = z.string().min(1);

const urlSchema = z
  .string()
  .max(2048)
  .superRefine((text, context) => {
    const message = describeRedisFault(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  });

const nodesSchema = z
  .array(
    z
      .string()
      .max(300)
      .refine((text) => parseRedisNode(text) !== undefined, { message: 'host:port, such as redis-0.example.com:6379' }),
  )
  .min(1)
  .max(50);

const passwordPlaces = ['passwordFile', 'passwordEnv', 'secret'] as const;

const credentialsSchema = z
  .strictObject({
    username: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe('User of the access control list; left out, the one called default.'),
    passwordFile: fileSchema.optional().describe('File that holds the password; read again for each connection.'),
    passwordEnv: z.string().min(1).optional().describe('Environment variable that holds it.'),
    secret: secretRefSchema
      .optional()
      .describe('Secret of the cluster with the key password, and username if it is not default.'),
  })
  .refine((credentials) => passwordPlaces.filter((name) => credentials[name] !== undefined).length === 1, {
    message: 'exactly one of passwordFile, passwordEnv and secret',
  })
  .refine(({ username, secret }) => username === undefined || secret === undefined, {
    path: ['username'],
    message: 'no username beside a secret',
  });

const placeNames = ['url', 'sentinel', 'cluster'] as const;

export const redisSchema = z
  .strictObject({
    url: urlSchema
      .optional()
      .describe('One server: redis://host:port or rediss://host:port (TLS), with /N for database N.'),
    sentinel: z
      .strictObject({
        master: z.string().min(1).max(256).describe('Name under which the Sentinels know it.'),
        nodes: nodesSchema.describe('The Sentinels, as host:port.'),
        credentials: credentialsSchema.optional().describe('For the Sentinels themselves, where they ask for it.'),
      })
      .optional()
      .describe('A server that Sentinels watch over, instead of url.'),
    cluster: z
      .strictObject({ nodes: nodesSchema.describe('Some of its nodes, as host:port.') })
      .optional()
      .describe('A Redis Cluster, instead of url.'),
    tls: z.boolean().default(false).describe('Speak TLS to sentinel or cluster; with url, rediss:// says so.'),
    caFile: fileSchema.optional().describe('PEM file of the authorities that are trusted besides the usual ones.'),
    caSecret: caSecretSchema.optional(),
    credentials: credentialsSchema.optional(),
    keyPrefix: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, { message: 'letters, digits, ".", "_" and "-"' })
      .default('tallyman')
      .describe('All keys begin with it, in braces: {tallyman}:. Tallymen with the same one share their work.'),
  })
  .refine((redis) => placeNames.filter((name) => redis[name] !== undefined).length === 1, {
    message: 'exactly one of url, sentinel and cluster',
  })
  .refine(hasOneCa, oneCaWanted)
  .refine(({ url, tls }) => url === undefined || !tls, { path: ['tls'], message: 'left out beside a url' });

export type RedisConfig = z.infer<typeof redisSchema>;

/** Host and port of `host:port` or `[::1]:6379`; undefined where it is none. */
export function parseRedisNode(text: string): { host: string; port: number } | undefined {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+)):(\d{1,5})$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  return host === undefined || Number(port) > 65_535 ? undefined : { host, port: Number(port) };
}

/** What was wanted instead of this address; undefined where it is in order. */
function describeRedisFault(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '')
    return 'an address redis://host:port or rediss://host:port';
  if (url.username !== '' || url.password !== '') return 'an address without credentials (they go under `credentials`)';
  if (url.search !== '' || url.hash !== '') return 'an address without a query';
  return /^\/?(?:\d{1,4})?$/.test(url.pathname) ? undefined : 'an address with a number or nothing behind the "/"';
}
