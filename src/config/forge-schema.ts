/** Where the pull requests of a Yaml repo are made. */
import { z } from 'zod';
import { secretRefSchema } from './secret-ref-schema.ts';
import { apiUrlSchema } from './url-schema.ts';

const tokenPlaces = ['tokenFile', 'tokenEnv', 'secret'] as const;

export const forgeSchema = z
  .strictObject({
    kind: z
      .enum(['github', 'gitlab', 'gitea'])
      .describe('gitea also is Forgejo. Left out for github.com, gitlab.com, gitea.com and codeberg.org.')
      .optional(),
    apiUrl: apiUrlSchema
      .optional()
      .describe('By default https://api.github.com, or /api/v3, /api/v4 or /api/v1 on the host of the repository.'),
    tokenFile: z.string().min(1).optional().describe('File that holds an access token; read again at each use.'),
    tokenEnv: z.string().min(1).optional().describe('Environment variable that holds it.'),
    secret: secretRefSchema
      .optional()
      .describe('Secret of the cluster that holds it under password, token or bearerToken.'),
  })
  .refine((forge) => tokenPlaces.filter((name) => forge[name] !== undefined).length <= 1, {
    message: 'at most one of tokenFile, tokenEnv and secret',
  })
  .describe("Where pull requests are made; with no token, by the repository's own password, token or GitHub App.");
