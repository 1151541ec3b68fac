/** The operator's configuration: what is validated, and what config/config.schema.json is made of. */
import { z } from 'zod';
import { hostSchema } from './host-schema.ts';
import { findSecretFaults, kubernetesSchema } from './kubernetes-schema.ts';
import { redisSchema } from './redis-schema.ts';
import { repoSchema } from './repo-schema.ts';
import {
  caSecretSchema,
  clientCertificateSchema,
  hasOneCa,
  oneCaWanted,
  secretRefSchema,
} from './secret-ref-schema.ts';
import { serverSchema } from './server-schema.ts';
import { originSchema } from './url-schema.ts';

const passwordPlaces = ['passwordFile', 'passwordEnv', 'secret'] as const;

const credentialsSchema = z
  .strictObject({
    username: z.string().min(1).max(256).optional().describe('Beside passwordFile or passwordEnv.'),
    passwordFile: z
      .string()
      .min(1)
      .optional()
      .describe('File that holds the password or token; read again at each use.'),
    passwordEnv: z.string().min(1).optional().describe('Environment variable that holds it.'),
    secret: secretRefSchema
      .optional()
      .describe('Secret of the cluster with the keys username, and password or token; used as it is now.'),
  })
  .refine((credentials) => passwordPlaces.filter((name) => credentials[name] !== undefined).length === 1, {
    message: 'exactly one of passwordFile, passwordEnv and secret',
  })
  .refine(({ username, secret }) => (username === undefined) !== (secret === undefined), {
    path: ['username'],
    message: 'a username beside a password, none beside a secret',
  });

const signingSchema = z
  .strictObject({
    format: z
      .enum(['ssh', 'openpgp'])
      .describe('ssh: a key as ssh-keygen makes it. openpgp: as gpg exports it, armored.'),
    keyFile: z.string().min(1).optional().describe('File with the private key; read again for each commit.'),
    passphraseFile: z.string().min(1).optional().describe('File that holds the passphrase, if the key has one.'),
    passphraseEnv: z.string().min(1).optional().describe('Environment variable that holds it.'),
    secret: secretRefSchema
      .optional()
      .describe(
        'Secret of the cluster with the key ssh-privatekey or identity, for openpgp git.asc, and passphrase if it has one.',
      ),
  })
  .refine(({ keyFile, secret }) => (keyFile === undefined) !== (secret === undefined), {
    message: 'exactly one of keyFile and secret',
  })
  .refine(({ keyFile, passphraseFile, passphraseEnv }) => keyFile !== undefined || !(passphraseFile ?? passphraseEnv), {
    message: 'no passphraseFile or passphraseEnv beside a secret, which holds the passphrase itself',
  })
  .refine(({ passphraseFile, passphraseEnv }) => passphraseFile === undefined || passphraseEnv === undefined, {
    message: 'at most one of passphraseFile and passphraseEnv',
  });

const registryFields = z.strictObject({
  host: hostSchema.describe('Host as images name it, with a port if they do; Docker Hub is docker.io.'),
  plainHttp: z.boolean().default(false).describe('Speak http instead of https; loopback addresses always do.'),
  credentials: credentialsSchema.optional(),
  caFile: z.string().min(1).optional(),
  caSecret: caSecretSchema.optional(),
  maxPages: z.int().min(1).max(500).default(500).describe('Pages of 1,000 tags that are read of one repository.'),
  endpoint: originSchema.optional().describe('Mirror that is asked instead: https://host, with a port if need be.'),
  clientCertificate: clientCertificateSchema
    .optional()
    .describe('PEM by which Tallyman shows who it is; read again when it changes.'),
  trustedOrigins: z
    .array(originSchema)
    .max(20)
    .default([])
    .describe('Hosts, as https://host, that the registry may lead to although they are private or without TLS.'),
  provider: z
    .enum(['ecr', 'artifact-registry', 'acr', 'none'])
    .optional()
    .describe("Cloud whose own sign-in is used; by default the host's name decides."),
  maxInFlight: z.int().min(1).max(256).default(8).describe('Requests to the host at the same time.'),
  requestsPerSecond: z.number().min(0.1).max(1000).optional().describe('Most requests in a second; default no limit.'),
  minPullsLeft: z
    .int()
    .min(0)
    .max(100_000)
    .default(10)
    .describe('No manifest is fetched while the registry leaves no more pulls than this.'),
});

const registrySchema = registryFields
  .refine(hasOneCa, oneCaWanted)
  .refine(({ plainHttp, endpoint }) => !plainHttp || endpoint?.startsWith('https:') !== true, {
    path: ['plainHttp'],
    message: 'false beside an endpoint with https://',
  });

export const configSchema = z
  .strictObject({
    repos: z
      .array(repoSchema)
      .max(100)
      .default([])
      .superRefine((repos, context) => {
        const names = repos.map(({ url, path, branch = '' }) => `${url ?? path} ${branch}`);
        for (const [index, name] of names.entries()) {
          if (names.indexOf(name) === index) continue;
          const message = 'a repository and branch that no other entry has: one may have several `paths`';
          context.addIssue({ code: 'custom', path: [index], message });
        }
      })
      .describe('The Yaml repos.'),
    registries: z
      .array(registrySchema)
      .max(1000)
      .default([])
      .superRefine((registries, context) => {
        const hosts = registries.map((registry) => registry.host);
        for (const [index, host] of hosts.entries()) {
          if (hosts.indexOf(host) === index) continue;
          context.addIssue({ code: 'custom', path: [index, 'host'], message: 'a host that no other entry has' });
        }
      })
      .describe('Settings for registry hosts that need any.'),
    credentialSources: z
      .array(z.enum(['pull-secrets', 'docker-config', 'cloud']))
      .max(10)
      .refine((names) => new Set(names).size === names.length, { message: 'each source once' })
      .default(['pull-secrets', 'docker-config', 'cloud'])
      .describe(
        'Where credentials are looked for, in this order, when `registries` has none for a host; [] for nowhere. pull-secrets: those that `kubernetes` names, none by default. docker-config: what `docker login`, `podman login` and credential helpers keep. cloud: the identity that AWS, Google Cloud or Azure gives to this process.',
      ),
    allowedRegistries: z.array(hostSchema).optional().describe('If given, policies may name these hosts only.'),
    commit: z
      .strictObject({
        author: z
          .strictObject({ name: z.string().min(1).max(200), email: z.string().min(1).max(200) })
          .default({ name: 'Tallyman', email: 'tallyman@localhost' })
          .describe('With `signing`, an identity of the key: forges show a commit as verified only then.'),
        signing: signingSchema.optional().describe('Signs each commit; left out, commits are not signed.'),
      })
      .prefault({}),
    intervalSeconds: z
      .number()
      .min(1)
      .max(86_400)
      .default(60)
      .describe('Time between two looks; each varies by a tenth.'),
    maxIntervalSeconds: z
      .number()
      .min(1)
      .max(86_400)
      .default(300)
      .describe(
        'Time between two looks at an image repository that has not changed for hours; not less than intervalSeconds.',
      ),
    batchSeconds: z
      .number()
      .min(0)
      .max(60)
      .default(0.2)
      .describe(
        'Wait for more after a webhook or a new tag, so that images published together go out in one commit; 0 for none.',
      ),
    concurrency: z
      .int()
      .min(1)
      .max(256)
      .default(8)
      .describe(
        'Tag lists that one registry host is asked for at the same time, and manifests; maxInFlight bounds its requests.',
      ),
    timeoutSeconds: z
      .number()
      .min(1)
      .max(3600)
      .default(30)
      .describe(
        'Longest wait for one answer of a registry or Git server; also how long a pass of the daemon waits for a registry host.',
      ),
    server: serverSchema.optional().describe('Webhooks and probes; left out, nothing is listened to.'),
    redis: redisSchema
      .optional()
      .describe(
        'Redis 6.2 or newer, or Valkey, by which several workers share the work; left out, this process works alone.',
      ),
    kubernetes: kubernetesSchema.describe(
      'The cluster in which status is told, secrets are read and reconcilers are; off: there is none.',
    ),
    stateDir: z
      .string()
      .min(1)
      .optional()
      .describe('Where clones are kept between runs, and the ledger: since when each tag is there.'),
    log: z
      .strictObject({
        level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
        format: z.enum(['auto', 'json', 'text']).default('auto').describe('auto: text on a terminal, else JSON.'),
      })
      .prefault({}),
  })
  .superRefine((config, context) => {
    for (const fault of findSecretFaults(config)) context.addIssue({ code: 'custom', ...fault });
  })
  .describe('Configuration of Tallyman.');

export type Config = z.infer<typeof configSchema>;
/** A place where credentials are looked for. */
export type CredentialSourceName = Config['credentialSources'][number];
export type RegistryConfig = Config['registries'][number];
export type SigningConfig = z.infer<typeof signingSchema>;
