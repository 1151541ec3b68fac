/** Asks an endpoint of a cloud one question, and reads what it says with distrust. */
import type { ErrorCode } from '../../error/catalogue.ts';
import { TallymanError } from '../../error/tallyman-error.ts';
import type { SourceTools } from '../create-registry.ts';
import type { RegistryHost } from '../host.ts';
import type { HttpAnswer, HttpRequest } from '../http.ts';
import { isObject, parseJsonObject } from '../json.ts';
import { quote, redact } from '../quote.ts';
import { isTransientStatus } from '../retry.ts';

/** What the exchanges of all clouds work with. */
export interface CloudTools extends SourceTools {
  /** The environment of the process: where clouds leave the identity of a workload. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file; throws where there is none to read. */
  readonly readFile: (path: string) => Promise<string>;
}

/** One sign-in under way. */
export interface SignIn extends CloudTools {
  /** For messages: `sign in to "acme.azurecr.io"` */
  readonly task: string;
  readonly signal: AbortSignal;
}

/** A request to an endpoint that the environment or a key file names. */
export interface Question {
  readonly method?: HttpRequest['method'];
  readonly url: URL;
  /** Whose settings (certificates) hold for the request; default none. */
  readonly host?: RegistryHost | undefined;
  readonly accept?: string | undefined;
  readonly authorization?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sent as a form, by POST. */
  readonly form?: Readonly<Record<string, string | undefined>> | undefined;
  /** Sent as it stands, by POST. */
  readonly body?: string | undefined;
  /** All that the question carries and nobody may read. */
  readonly secrets: readonly string[];
}

/** The answer, whatever its status. Throws what `send` throws, and RegistryInvalid for an answer from elsewhere. */
export async function ask(signIn: SignIn, question: Question): Promise<HttpAnswer> {
  const { url, form, secrets, headers } = question;
  const { task, signal, limits } = signIn;
  const body = form === undefined ? question.body : formatForm(form);
  const type = form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = await signIn.send({
    method: question.method ?? (body === undefined ? 'GET' : 'POST'),
    host: question.host ?? { name: url.host, origin: url.origin, settings: {}, credential: undefined },
    url,
    accept: question.accept ?? 'application/json',
    authorization: question.authorization,
    headers: { ...type, ...headers },
    body,
    secrets: secrets.flatMap(listSpellings),
    maxBodyBytes: limits.maxTokenBytes,
    task,
    signal,
  });
  if (answer.url.origin === url.origin) return answer;
  const found = `"${quote(url.host, 80)}" leads to "${quote(answer.url.host, 80)}"`;
  throw new TallymanError('RegistryInvalid', `Cannot ${task}: ${found}, its own answer was wanted`);
}

function formatForm(form: Readonly<Record<string, string | undefined>>): string {
  const fields = Object.entries(form).filter((field): field is [string, string] => field[1] !== undefined);
  return new URLSearchParams(fields).toString();
}

/** A server may repeat what it got in the form in which it got it. */
function listSpellings(secret: string): readonly string[] {
  return [
    secret,
    encodeURIComponent(secret),
    formatForm({ '': secret }).slice(1),
    Buffer.from(secret).toString('base64'),
  ];
}

/** What is said of an answer that was no success. */
interface Refusal {
  /** Who gave the answer: `the token server`; its host is named besides. */
  readonly who: string;
  readonly wanted: string;
  readonly secrets: readonly string[];
  /** What the person does about it, where the identity was refused. */
  readonly remedy: string;
}

/**
 * The error of an answer with another status than 200: RegistryDenied where the identity was refused, RegistryUnavailable
 * for what may go away by itself, otherwise RegistryInvalid. OAuth (RFC 6749, section 5.2) and AWS refuse with 400 too.
 */
export function toRefusal({ task }: SignIn, answer: HttpAnswer, refusal: Refusal): TallymanError {
  const { status, url } = answer;
  const said = readSaid(answer);
  const text = quote(redactLong(redact(said.join(': '), refusal.secrets.flatMap(listSpellings))), 300);
  const code = findCode(status, said);
  const found = `${refusal.who} "${quote(url.host, 80)}" answered ${status}${text === '' ? '' : ` (${text})`}`;
  const remedy = code === 'RegistryDenied' ? `${refusal.remedy} ${leaveOut}` : undefined;
  return new TallymanError(code, `Cannot ${task}: ${found}, ${refusal.wanted} was wanted`, { remedy });
}

const leaveOut =
  'Where everybody may pull, set provider: none for the host under `registries` in the configuration instead.';

/** The error of an environment that names an identity which is not whole. Always RegistryDenied: a person must act. */
export function toIdentityError(
  { task }: SignIn,
  about: { found: string; wanted: string; remedy: string; cause?: unknown },
): TallymanError {
  const { found, wanted, remedy, cause } = about;
  return new TallymanError('RegistryDenied', `Cannot ${task}: ${found}, ${wanted} was wanted`, { remedy, cause });
}

/** The error of an answer with status 200 that does not hold what it should. */
export function toAnswerFault({ task }: SignIn, { url }: HttpAnswer, wanted: string): TallymanError {
  const found = `the answer of "${quote(url.host, 80)}" holds none`;
  return new TallymanError('RegistryInvalid', `Cannot ${task}: ${found}, ${wanted} was wanted`);
}

/** Codes with which AWS says "later" in an answer with status 400. */
const laterCodes = /Throttl|TooManyRequests|RequestLimitExceeded|IDPCommunicationError|temporarily_unavailable/;

function findCode(status: number, said: readonly string[]): ErrorCode {
  if (isTransientStatus(status) || status >= 500 || laterCodes.test(said[0] ?? '')) return 'RegistryUnavailable';
  return [400, 401, 403].includes(status) ? 'RegistryDenied' : 'RegistryInvalid';
}

/** The code and the sentence of an error answer, in the forms of OAuth, Google, AWS (JSON and XML) and registries. */
function readSaid({ body, complaint }: HttpAnswer): readonly string[] {
  if (complaint.text !== '') return [complaint.text];
  const object = parseJsonObject(body);
  if (object === undefined) {
    const text = body.toString('utf8');
    return [/<Code>([^<]{1,200})</.exec(text)?.[1], /<Message>([^<]{1,2000})</.exec(text)?.[1]].filter(isText);
  }
  const inner = isObject(object.error) ? object.error : object;
  const code = [inner.error, inner.status, inner.__type, inner.Code, inner.code].find(isText);
  const message = [inner.error_description, inner.message, inner.Message, inner.error_message].find(isText);
  return [code?.replace(/^.*#/s, ''), message].filter(isText);
}

/** What is left of tokens and keys that a server repeats in part; names and identifiers are shorter. */
function redactLong(text: string): string {
  return text.replace(/[\w+=-]{40,}/g, '…');
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
