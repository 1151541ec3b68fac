/** Docker's and Podman's files for one test. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { parseImageReference } from '../../../src/image/reference.ts';
import type { Credential } from '../../../src/registry/credentials/credential.ts';
import type { CredentialHelper, HelperQuestion } from '../../../src/registry/credentials/credential-helper.ts';
import { createDockerConfigSource } from '../../../src/registry/credentials/docker-config.ts';

export const { signal } = new AbortController();
/** An entry of `auths` with the password `hunter2`. */
export const entry = (username: string): object => ({ auth: Buffer.from(`${username}:hunter2`).toString('base64') });
export const modern = (auths: object): string => JSON.stringify({ auths });

export const noHelper: CredentialHelper = { find: async () => undefined, forget: () => {} };

export interface Options {
  /** Paths below the test's folder. */
  readonly files?: Readonly<Record<string, string>>;
  /** `@` stands for the test's folder. */
  readonly env?: Readonly<Record<string, string>>;
  /** What the helper answers, by `<name> <server>`; nothing otherwise. */
  readonly helper?: Readonly<Record<string, Credential>>;
  readonly homeless?: boolean;
}

/** A source over files in a folder that ends with the test. */
export function prepare(context: TestContext, { files = {}, env = {}, helper = {}, homeless = false }: Options) {
  const folder = mkdtempSync(join(tmpdir(), 'tallyman-docker-config-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const write = (file: string, text: string): string => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
    return join(folder, file);
  };
  for (const [file, text] of Object.entries(files)) write(file, text);
  const asked: HelperQuestion[] = [];
  const forgotten: string[] = [];
  const environment = Object.fromEntries(
    Object.entries(env).map(([name, text]) => [name, text.replaceAll('@', folder)]),
  );
  const source = createDockerConfigSource({
    env: environment,
    homeFolder: homeless ? undefined : join(folder, 'home'),
    helper: {
      find: async (question) => {
        asked.push(question);
        return helper[`${question.name} ${question.server}`];
      },
      forget: (server) => forgotten.push(server),
    },
  });
  const find = (image: string) => source.find(parseImageReference(image), { signal });
  return { folder, write, source, find, asked, forgotten, environment };
}
