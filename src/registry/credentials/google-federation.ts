/** Exchanges another provider's token for Google's: workload identity federation. */
import { parseJsonObject } from '../json.ts';
import { type AccessToken, parseAccessToken } from './access-token.ts';
import { ask, type SignIn, toAnswerFault, toRefusal } from './ask.ts';
import { isHeaderSafe, readSecretFile } from './environment.ts';
import { type KeyFile, scope, variable } from './google-key-file.ts';

/**
 * An access token for a file of type `external_account` whose subject token comes from a file or a URL.
 * Source: Security Token Service API, method token (RFC 8693); google.aip.dev/auth/4117.
 */
export async function federate(signIn: SignIn, file: KeyFile): Promise<AccessToken> {
  const subject = await findSubject(signIn, file);
  const url = file.requireUrl('token_url', file.require('token_url'));
  const [id, secret] = [file.find('client_id'), file.find('client_secret')];
  const basic = Buffer.from(`${id}:${secret}`).toString('base64');
  const secrets = [subject, secret ?? '', basic];
  const answer = await ask(signIn, {
    url,
    authorization: id === undefined || secret === undefined ? undefined : `Basic ${basic}`,
    form: {
      audience: file.require('audience'),
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      scope,
      subject_token_type: file.require('subject_token_type'),
      subject_token: subject,
    },
    secrets,
  });
  if (answer.status !== 200) {
    const remedy = `Check the workload identity pool against the audience and the subject token in ${variable}.`;
    throw toRefusal(signIn, answer, { who: 'the token server', wanted: 'an access token', secrets, remedy });
  }
  const token = parseAccessToken(signIn, answer);
  const impersonation = file.find('service_account_impersonation_url');
  return impersonation === undefined ? token : impersonate(signIn, { file, token, impersonation });
}

async function findSubject(signIn: SignIn, file: KeyFile): Promise<string> {
  const source = file.open('credential_source');
  const path = source.find('file');
  if (path !== undefined) {
    const text = await readSecretFile(signIn, `credential_source.file in the file of ${variable}`, path);
    return readSubject(source, Buffer.from(text));
  }
  const address = source.find('url');
  if (address === undefined) throw source.toFault('file', 'a file or a URL with the subject token');
  const headers = source.list('headers');
  if (!Object.values(headers).every((value) => /^[\x20-\x7e]*$/.test(value)))
    throw source.toFault('headers', 'visible ASCII');
  const secrets = Object.values(headers);
  const answer = await ask(signIn, { url: source.requireUrl('url', address), accept: '*/*', headers, secrets });
  if (answer.status === 200) return readSubject(source, answer.body);
  const remedy = `Correct credential_source in the file of ${variable}.`;
  throw toRefusal(signIn, answer, { who: 'the source of the subject token', wanted: 'one', secrets, remedy });
}

/** The token is the whole text, or a member of a JSON object. */
function readSubject(source: KeyFile, body: Buffer): string {
  const format = source.open('format');
  const isJson = format.find('type') === 'json';
  const token = isJson ? parseJsonObject(body)?.[format.require('subject_token_field_name')] : body.toString().trim();
  if (typeof token === 'string' && token !== '') return token;
  throw source.toFault('format', 'one that fits the subject token');
}

/** Source: IAM Service Account Credentials API, method generateAccessToken. */
async function impersonate(
  signIn: SignIn,
  { file, token, impersonation }: { file: KeyFile; token: AccessToken; impersonation: string },
): Promise<AccessToken> {
  const answer = await ask(signIn, {
    url: file.requireUrl('service_account_impersonation_url', impersonation),
    authorization: `Bearer ${token.text}`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ scope: [scope], lifetime: '3600s' }),
    secrets: [token.text],
  });
  if (answer.status !== 200) {
    const remedy = `Allow the identity of ${variable} to impersonate the service account named there.`;
    const about = { who: 'the service account API at', wanted: 'an access token', remedy };
    throw toRefusal(signIn, answer, { ...about, secrets: [token.text] });
  }
  const { accessToken: text, expireTime } = parseJsonObject(answer.body) ?? {};
  if (!isHeaderSafe(text)) throw toAnswerFault(signIn, answer, 'an access token');
  return { text, endMs: typeof expireTime === 'string' ? Date.parse(expireTime) : Number.NaN };
}
