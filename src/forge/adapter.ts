/** What every adapter of a forge is made of. */
import { z } from 'zod';
import type { PullRequest } from '../pipeline/ports.ts';
import { forgeInvalid } from './errors.ts';
import type { ForgeHttp } from './http.ts';
import type { ForgeLimits } from './limits.ts';

/** Whom a forge lets in. */
export interface ForgeCredential {
  /** Undefined where a token stands alone. */
  readonly username: string | undefined;
  readonly token: string;
}

/** What an adapter works with. */
export interface AdapterTools {
  readonly http: ForgeHttp;
  /** `acme/deploy`; of GitLab with all groups. */
  readonly project: string;
  readonly limits: ForgeLimits;
  /** Of the forge, for messages. */
  readonly host: string;
}

/** The answer as the schema has it; ForgeInvalid where it is something else. */
export function readAnswer<Schema extends z.ZodType>(
  schema: Schema,
  json: unknown,
  about: { task: string; host: string },
): z.infer<Schema> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join('.') ?? '';
  throw forgeInvalid(about, `the answer of "${about.host}" is not what its API describes (at "${field}")`);
}

/** The same for a list. */
export function listOf<Schema extends z.ZodType>(schema: Schema): z.ZodArray<Schema> {
  return z.array(schema).max(1000);
}

/** Each once, newest first. */
export function sortPullRequests(pullRequests: readonly PullRequest[]): readonly PullRequest[] {
  const byNumber = new Map(pullRequests.map((pullRequest) => [pullRequest.number, pullRequest]));
  return [...byNumber.values()].sort((a, b) => b.number - a.number);
}

/** `?state=open&per_page=100` */
export function formatQuery(fields: Readonly<Record<string, string | number>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) query.set(name, String(value));
  return `?${query}`;
}
