/** Every failure of Git's side becomes a TallymanError here, in our own words. */
import { findCode } from '../error/find-code.ts';
import { TallymanError } from '../error/tallyman-error.ts';

const maxQuotedChars = 300;

/** The URL without user information, query and fragment; the text itself where it is no URL, with `…@` removed. */
export function showUrl(url: string): string {
  try {
    const parsed = new URL(url);
    return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
  } catch {
    return hideUserInfo(url);
  }
}

/**
 * A server's words, fit to be shown: one line, no control characters, no user information in URLs, at most 300
 * characters.
 *
 * @example
 * quoteServer('\u001b[31mno\u001b[0m\nhttps://me:pw@host/') // 'no https://host/'
 */
export function quoteServer(text: string): string {
  const line = text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours are what is taken out
    .replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();
  const hidden = hideUserInfo(line);
  return hidden.length > maxQuotedChars ? `${hidden.slice(0, maxQuotedChars - 3)}...` : hidden;
}

function hideUserInfo(text: string): string {
  return text.replace(/:\/\/[^/\s"'@]*(?:@[^/\s"'@]*)*@/g, '://');
}

/** What is wrong with the stored bytes, not with what they say. */
const damages = new WeakSet<object>();

/** Whether a new clone may mend it. */
export function isDamage(error: unknown): boolean {
  return error instanceof TallymanError && damages.has(error);
}

/** Stored Git data that cannot be what Git wrote; a kept clone is made again on it. */
export function damaged(what: string, found: string, cause?: unknown): TallymanError {
  const error = unreadable(what, found, cause);
  damages.add(error);
  return error;
}

/** What is stored well and still cannot be used: every clone has the same. */
export function unreadable(what: string, found: string, cause?: unknown): TallymanError {
  return new TallymanError('RepoInvalid', `Cannot read ${what}: ${found}`, {
    remedy: 'Run `git fsck` in the repository and repair what it names.',
    cause,
  });
}

/** What a server does not give although it was asked for by its id. */
const refusals = new WeakSet<object>();

/** Whether the server said that it has no such object, or shows it to nobody. */
export function isRefusal(error: unknown): boolean {
  return error instanceof TallymanError && refusals.has(error);
}

/** The failure of a download that the server declined in words. */
export function fetchRefused(url: string, words: string): TallymanError {
  const refused = /not our ref|not valid|no such|not found|unknown object|missing object|unadvertised/i.test(words);
  const message = `Cannot fetch Yaml repo "${url}": the server said "${quoteServer(words)}"`;
  if (!refused) return new TallymanError('RepoUnavailable', message);
  const error = new TallymanError('RepoInvalid', message, {
    remedy: 'Let the Git server give what is no branch tip: `uploadpack.allowReachableSHA1InWant`.',
  });
  refusals.add(error);
  return error;
}

export function missingObject(oid: string): TallymanError {
  const remedy = 'Use a complete clone (no --filter), and run `git fsck` in it.';
  const message = `Cannot read object "${oid}": it is not there, a complete clone was wanted`;
  const error = new TallymanError('RepoInvalid', message, { remedy });
  damages.add(error);
  return error;
}

export function repoInvalid(message: string, remedy?: string): TallymanError {
  return new TallymanError('RepoInvalid', message, { remedy });
}

export function internal(message: string): TallymanError {
  return new TallymanError('Internal', message);
}

export function repoUnavailable(message: string, cause?: unknown): TallymanError {
  return new TallymanError('RepoUnavailable', message, { cause });
}

export function pushRejected(branch: string, reason: string, remedy?: string): TallymanError {
  return new TallymanError('PushRejected', `Cannot push to branch "${branch}": ${reason}`, { remedy });
}

export function workTreeDirty(paths: readonly string[], found: string): TallymanError {
  const shown = paths.slice(0, 10).map((path) => JSON.stringify(path));
  const more = paths.length > shown.length ? ` and ${paths.length - shown.length} more` : '';
  return new TallymanError('WorkTreeDirty', `Cannot change ${shown.join(', ')}${more} in the work tree: ${found}`);
}

/** The failure that an HTTP status stands for; `service` tells reading from pushing. */
export function fromHttpStatus(status: number, about: { url: string; service: string }): TallymanError {
  const pushing = about.service === 'git-receive-pack';
  const verb = `Cannot ${pushing ? 'push to' : 'read'} Yaml repo "${about.url}"`;
  if (status === 401 || status === 407)
    return new TallymanError('RepoDenied', `${verb}: the server refused the credentials (HTTP ${status})`);
  if (status === 403 && pushing)
    return new TallymanError('PushRejected', `${verb}: the user may not write (HTTP 403), write access was wanted`, {
      remedy: 'Give the bot user write access to the repository, or other credentials under `repos`.',
    });
  if (status === 403) return new TallymanError('RepoDenied', `${verb}: the user may not read it (HTTP 403)`);
  if (status === 404 || status === 410)
    return repoInvalid(
      `${verb}: the server knows no repository there (HTTP ${status})`,
      'Correct the URL under `repos`, or give credentials that may see the repository.',
    );
  if (status === 408 || status === 429 || status >= 500)
    return repoUnavailable(`${verb}: the server answered HTTP ${status}, 200 was wanted`);
  return repoInvalid(`${verb}: the server answered HTTP ${status}, 200 was wanted`);
}

const networkWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_CONNECT_TIMEOUT: 'the connection was not made in time',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the answer was cut off',
  HPE_INVALID_CONSTANT: 'the answer is not HTTP',
  CERT_HAS_EXPIRED: "the server's certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the server's certificate is not trusted",
  SELF_SIGNED_CERT_IN_CHAIN: "the server's certificate is not trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the server's certificate is not trusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the server's certificate is not trusted",
  ERR_TLS_CERT_ALTNAME_INVALID: "the server's certificate is for another host",
};

/** The failure of a connection. The cause's own message is not shown: it can hold addresses and headers. */
export function fromNetwork(cause: unknown, url: string): TallymanError {
  if (cause instanceof TallymanError) return cause;
  const code = findCode(cause);
  const words = (code !== undefined && networkWords[code]) || `the connection failed (${code ?? 'no reason given'})`;
  return repoUnavailable(`Cannot reach Yaml repo "${url}": ${words}, an answer was wanted`, cause);
}

/** The failure of a file operation on a repository; `object` is what was being written or read. */
export function fromFileSystem(cause: unknown, object: string): TallymanError {
  if (cause instanceof TallymanError) return cause;
  const code = findCode(cause);
  if (code === undefined)
    return new TallymanError('Internal', `Cannot use ${object}: an unexpected failure`, { cause });
  return new TallymanError('RepoUnavailable', `Cannot use ${object}: the file system answered ${code}`, {
    remedy: 'Check free space, ownership and write permission of the repository and of the state folder.',
    cause,
  });
}
