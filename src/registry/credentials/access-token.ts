/** Reads the access tokens that OAuth 2.0 token servers give. */
import type { HttpAnswer } from '../http.ts';
import { parseJsonObject } from '../json.ts';
import { type SignIn, toAnswerFault } from './ask.ts';
import { isHeaderSafe } from './environment.ts';

/** A token with its end in milliseconds since 1970; NaN where it is not said. */
export interface AccessToken {
  readonly text: string;
  readonly endMs: number;
}

/** The token of a successful answer (RFC 6749, section 5.1); throws RegistryInvalid where it holds none. */
export function parseAccessToken(signIn: SignIn, answer: HttpAnswer): AccessToken {
  const { access_token: text, expires_in: expiresIn } = parseJsonObject(answer.body) ?? {};
  if (!isHeaderSafe(text)) throw toAnswerFault(signIn, answer, 'an access token');
  // Azure's metadata server writes the number as text.
  const seconds = typeof expiresIn === 'string' && expiresIn !== '' ? Number(expiresIn) : expiresIn;
  return { text, endMs: typeof seconds === 'number' ? signIn.now() + seconds * 1000 : Number.NaN };
}
