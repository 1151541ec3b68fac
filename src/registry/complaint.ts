/** Reads what a registry says in words: error bodies and warnings. */
import { isObject, parseJsonObject } from './json.ts';
import { quote, redact } from './quote.ts';

/** What a registry says is wrong: `{ codes: ['NAME_UNKNOWN'], text: 'NAME_UNKNOWN: repository name not known' }` */
export interface Complaint {
  readonly codes: readonly string[];
  /** One short line without secrets; empty where it says nothing that can be read. */
  readonly text: string;
}

const silent: Complaint = { codes: [], text: '' };

/**
 * The complaint in an answer's body, empty where it follows no known form (an HTML page of a proxy, say).
 * Source: OCI distribution-spec, "Error Codes": `{ "errors": [{ "code", "message" }] }`. `secrets` are cut out of it.
 */
export function parseComplaint(body: Buffer, secrets: readonly string[]): Complaint {
  const errors = findErrors(body);
  const codes = errors.map(({ code }) => code).filter((code) => code !== undefined);
  const { code, message } = errors[0] ?? {};
  const said = [code, message].filter((part) => part !== undefined && part !== '').join(': ');
  return said === '' ? silent : { codes, text: quote(redact(said, secrets)) };
}

/**
 * The text of a Warning header, made fit to show like a complaint; undefined where there is none for people to read.
 * Source: OCI distribution-spec, "Warnings": `299 - "text"`.
 */
export function parseWarning(header: string | undefined, secrets: readonly string[]): string | undefined {
  const text = /^299 - "((?:[^"\\]|\\.)*)"/.exec(header ?? '')?.[1];
  return text === undefined ? undefined : quote(redact(text, secrets));
}

function findErrors(body: Buffer): readonly { code: string | undefined; message: string | undefined }[] {
  const errors = parseJsonObject(body)?.errors;
  if (!Array.isArray(errors)) return [];
  return errors.filter(isObject).map(({ code, message }) => ({ code: asText(code), message: asText(message) }));
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
