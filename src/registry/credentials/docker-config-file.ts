/** One file of credentials, read again when it changed. */
import type { BigIntStats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { TallymanError } from '../../error/tallyman-error.ts';
import { type AuthText, type DockerAuth, maxAuthBytes, parseDockerAuth, tooLarge } from './docker-auth.ts';

export interface DockerConfigFile {
  /** What the file holds now; undefined where it is not there. Throws ConfigInvalid where it cannot be read or is malformed. */
  read(): Promise<DockerAuth | undefined>;
}

/** `isNamed`: a person named it, so that a folder that may not be looked into is a fault. */
export function openDockerConfigFile(file: string, { isNamed }: { isNamed: boolean }): DockerConfigFile {
  const text = { file, origin: `credentials file "${file}"` };
  let held: { readonly version: string; readonly content: Promise<DockerAuth> } | undefined;

  /** Shared by all who ask at the same time; a fault is for them alone, as the next may find the file mended. */
  function load(version: string): Promise<DockerAuth> {
    const content = readBounded(text).then((bytes) => parseDockerAuth(bytes, text));
    const mine = { version, content };
    held = mine;
    content.catch(() => {
      if (held === mine) held = undefined;
    });
    return content;
  }

  return {
    async read() {
      const found = await findFile(text, isNamed);
      if (found === undefined) return undefined;
      // Taken before the content: a change in between is seen as one by the next call.
      const version = [found.mtimeNs, found.size, found.ino].join(' ');
      if (held?.version === version) return held.content;
      if (!found.isFile()) throw unreadable(text, 'it is no file');
      return load(version);
    },
  };
}

type FileText = AuthText & { readonly file: string };

async function findFile(text: FileText, isNamed: boolean): Promise<BigIntStats | undefined> {
  try {
    return await stat(text.file, { bigint: true });
  } catch (cause) {
    const code = codeOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    // In containers, HOME is often the folder of a user that the program does not run as.
    if (code === 'EACCES' && !isNamed) return undefined;
    throw unreadable(text, code, cause);
  }
}

/** Reads one byte more than allowed at most, whatever size was told before. */
async function readBounded(text: FileText): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  try {
    const handle = await open(text.file, 'r');
    for await (const piece of handle.createReadStream({ end: maxAuthBytes })) pieces.push(piece);
  } catch (cause) {
    throw unreadable(text, codeOf(cause), cause);
  }
  const bytes = Buffer.concat(pieces);
  if (bytes.length > maxAuthBytes) throw tooLarge(text);
  return bytes;
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown fault';
}

function unreadable({ origin, file }: FileText, found: string, cause?: unknown): TallymanError {
  return new TallymanError('ConfigInvalid', `Cannot read ${origin}: ${found}, a readable file was wanted`, {
    cause,
    place: { file },
    remedy: 'Let the program read the file named, or take `docker-config` out of `credentialSources`.',
  });
}
