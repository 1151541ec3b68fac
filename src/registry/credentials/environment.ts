/** Reads what the environment and the files that it names say of the workload's identity. */
import { quote } from '../quote.ts';
import { type SignIn, toIdentityError } from './ask.ts';

/** The variable's text without blanks around it; undefined where it is missing or empty. */
export function readVariable({ env }: Pick<SignIn, 'env'>, name: string): string | undefined {
  const text = env[name]?.trim();
  return text === '' ? undefined : text;
}

/** Whether an HTTP header can carry the text: visible ASCII, no blanks. */
export function isHeaderSafe(text: unknown): text is string {
  return typeof text === 'string' && /^[\x21-\x7e]+$/.test(text);
}

/** The text as a secret that goes into a header; RegistryDenied where it cannot. `name`: the variable it comes from. */
export function requireHeaderSafe(signIn: SignIn, name: string, text: string): string {
  if (isHeaderSafe(text)) return text;
  const found = `what ${name} holds has characters that no header can carry`;
  throw toIdentityError(signIn, { found, wanted: 'visible ASCII', remedy: `Correct ${name}.` });
}

/** The file's text without blanks around it, read anew each time: tokens rotate. `name`: where the path comes from. */
export async function readSecretFile(signIn: SignIn, name: string, path: string): Promise<string> {
  const about = { wanted: 'a file with an identity', remedy: `Correct the path in ${name}, or the file there.` };
  const file = `the file "${quote(path)}" of ${name}`;
  let text: string;
  try {
    text = (await signIn.readFile(path)).trim();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause && isHeaderSafe(cause.code) ? ` (${cause.code})` : '';
    throw toIdentityError(signIn, { ...about, found: `${file} cannot be read${code}`, cause });
  }
  if (text === '') throw toIdentityError(signIn, { ...about, found: `${file} is empty` });
  if (text.length <= signIn.limits.maxTokenBytes) return text;
  const found = `${file} has more than ${signIn.limits.maxTokenBytes} characters`;
  throw toIdentityError(signIn, { ...about, found });
}

/** The URL in the text; RegistryDenied where it is none that `isAllowed`. `name`: the variable or member it comes from. */
export function requireUrl(
  signIn: SignIn,
  { name, text, wanted, isAllowed }: { name: string; text: string; wanted: string; isAllowed: (url: URL) => boolean },
): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && url.username === '' && url.password === '' && isAllowed(url)) return url;
  const found = url === undefined ? `${name} is no URL` : `${name} names "${quote(url.origin, 120)}"`;
  throw toIdentityError(signIn, { found, wanted, remedy: `Correct ${name}.` });
}
