/** The settings of a Yaml repo: where it is, and who asks. */
import { z } from 'zod';
import { isSshAddress } from '../address/ssh-address.ts';
import { resolveGlob } from '../policy/glob.ts';
import { forgeSchema } from './forge-schema.ts';
import { reconcilerSchema } from './kubernetes-schema.ts';
import {
  caSecretSchema,
  clientCertificateSchema,
  hasOneCa,
  oneCaWanted,
  secretRefSchema,
} from './secret-ref-schema.ts';
import { apiUrlSchema, repoUrlSchema } from './url-schema.ts';

const fileSchema = z.string().min(1);

export const appIdPattern = /^[\w.-]{1,64}$/;
export const installationIdPattern = /^\d{1,20}$/;

const githubAppSchema = z
  .strictObject({
    appId: z
      .union([z.int().min(1), z.string().regex(appIdPattern)])
      .optional()
      .describe('App ID or client ID, as the settings of the App show it.'),
    installationId: z
      .union([z.int().min(1), z.string().regex(installationIdPattern)])
      .optional()
      .describe('The number at the end of the address of the installation.'),
    privateKeyFile: fileSchema.optional().describe('PEM file that GitHub made for the App; read again for each token.'),
    secret: secretRefSchema
      .optional()
      .describe(
        'Secret of the cluster with the keys githubAppPrivateKey or privateKey, and where they are not given here githubAppID or appId, githubAppInstallationID or installationId.',
      ),
    apiUrl: apiUrlSchema.default('https://api.github.com').describe('Of GitHub Enterprise Server: https://host/api/v3'),
  })
  .refine(({ privateKeyFile, secret }) => (privateKeyFile === undefined) !== (secret === undefined), {
    message: 'exactly one of privateKeyFile and secret',
  })
  .refine(
    ({ appId, installationId, secret }) =>
      secret !== undefined || (appId !== undefined && installationId !== undefined),
    { message: 'appId and installationId beside privateKeyFile' },
  );

const secretNames = ['passwordFile', 'passwordEnv', 'tokenFile', 'tokenEnv', 'secret', 'githubApp'] as const;

const repoCredentialsSchema = z
  .strictObject({
    username: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe('Beside a token by default x-access-token; GitHub, GitLab and Gitea take any name there.'),
    passwordFile: fileSchema.optional().describe('File that holds the password; read again at each use.'),
    passwordEnv: z.string().min(1).optional().describe('Environment variable that holds it.'),
    tokenFile: fileSchema.optional().describe('File that holds an access token; read again at each use.'),
    tokenEnv: z.string().min(1).optional().describe('Environment variable that holds it.'),
    secret: secretRefSchema
      .optional()
      .describe(
        'Secret of the cluster with the keys password, token or bearerToken, and username if it is none of a token.',
      ),
    githubApp: githubAppSchema.optional().describe('Signs in as an installation of a GitHub App.'),
  })
  .refine((credentials) => secretNames.filter((name) => credentials[name] !== undefined).length === 1, {
    message: 'exactly one of passwordFile, passwordEnv, tokenFile, tokenEnv, secret and githubApp',
  })
  .refine(
    ({ username, passwordFile, passwordEnv }) =>
      username !== undefined || (passwordFile === undefined && passwordEnv === undefined),
    { message: 'a username beside the password' },
  )
  .refine(({ username, githubApp, secret }) => username === undefined || (githubApp ?? secret) === undefined, {
    message: 'no username beside githubApp or secret',
  });

const sshSchema = z
  .strictObject({
    keyFile: fileSchema
      .optional()
      .describe('File with the private key (OpenSSH or PEM); read again for each connection.'),
    passphraseFile: fileSchema.optional().describe('File that holds the passphrase, if the key has one.'),
    passphraseEnv: z.string().min(1).optional().describe('Environment variable that holds it.'),
    secret: secretRefSchema
      .optional()
      .describe(
        'Secret of the cluster with the key ssh-privatekey or identity, with known_hosts, and with passphrase or password if the key has one.',
      ),
    knownHostsFile: fileSchema
      .optional()
      .describe(
        'File in the format of known_hosts; no other server is trusted. Beside a secret, instead of its known_hosts.',
      ),
  })
  .refine(({ keyFile, secret }) => (keyFile === undefined) !== (secret === undefined), {
    message: 'exactly one of keyFile and secret',
  })
  .refine(({ knownHostsFile, secret }) => knownHostsFile !== undefined || secret !== undefined, {
    path: ['knownHostsFile'],
    message: 'a file beside keyFile',
  })
  .refine(({ keyFile, passphraseFile, passphraseEnv }) => keyFile !== undefined || !(passphraseFile ?? passphraseEnv), {
    message: 'no passphraseFile or passphraseEnv beside a secret, which holds the passphrase itself',
  })
  .refine(({ passphraseFile, passphraseEnv }) => passphraseFile === undefined || passphraseEnv === undefined, {
    message: 'at most one of passphraseFile and passphraseEnv',
  });

export const repoSchema = z
  .strictObject({
    url: repoUrlSchema
      .optional()
      .describe(
        'Address of the Git repository: https://host/path, ssh://user@host/path or user@host:path, without credentials.',
      ),
    path: z.string().min(1).optional().describe('Folder of a local repository: bare, or a work tree.'),
    branch: z.string().min(1).max(250).optional().describe("By default the repository's own default branch."),
    paths: z
      .array(
        z
          .string()
          .min(1)
          .refine((path) => resolveGlob('', path) !== undefined, { message: 'a path inside the repository' }),
      )
      .min(1)
      .default(['.'])
      .describe('Folders or globs in which YAML files are looked at.'),
    credentials: repoCredentialsSchema.optional().describe('Who asks, for an address https://…'),
    ssh: sshSchema.optional().describe('Who asks and who answers, for an SSH address.'),
    forge: forgeSchema.optional(),
    reconcilers: z
      .array(reconcilerSchema)
      .max(100)
      .optional()
      .describe(
        'Objects of Flux and Argo CD that apply this repository though their address does not say so: of a mirror, or of a folder.',
      ),
    pushOptions: z
      .array(
        z
          .string()
          .max(1000)
          .regex(/^[ -~\u00a0-\uffff]+$/, { message: 'text on one line, without control characters' }),
      )
      .max(20)
      .optional()
      .describe('Push options, as `git push -o` sends them, with each commit that is pushed to the server: ci.skip'),
    caFile: fileSchema
      .optional()
      .describe('PEM file with a certificate authority that is trusted besides the well-known ones.'),
    caSecret: caSecretSchema.optional(),
    clientCertificate: clientCertificateSchema
      .optional()
      .describe('PEM by which Tallyman shows who it is; read again when it changes.'),
  })
  .refine(hasOneCa, oneCaWanted)
  .refine(({ url, path }) => (url === undefined) !== (path === undefined), { message: 'exactly one of url and path' })
  .superRefine((repo, context) => {
    const isSsh = repo.url !== undefined && isSshAddress(repo.url);
    const reject = (name: string, message: string): void => context.addIssue({ code: 'custom', path: [name], message });
    if (isSsh && repo.ssh === undefined)
      reject('ssh', '`ssh` with keyFile and knownHostsFile, or secret, for an SSH address');
    if (repo.url === undefined && repo.pushOptions !== undefined)
      reject('pushOptions', 'a repository on a server (`url`) beside `pushOptions`');
    if (!isSsh && repo.ssh !== undefined) reject('ssh', 'an SSH address (ssh://user@host/path) beside `ssh`');
    for (const name of ['credentials', 'caFile', 'caSecret', 'clientCertificate'] as const)
      if (isSsh && repo[name] !== undefined) reject(name, `an address https://host/path beside \`${name}\``);
  });

export type RepoConfig = z.infer<typeof repoSchema>;
export type RepoCredentialsConfig = z.infer<typeof repoCredentialsSchema>;
export type SshConfig = z.infer<typeof sshSchema>;
