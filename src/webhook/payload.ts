/** Reads JSON that a stranger may have written. */

/** A JSON object whose members are unknown. */
export type Payload = Readonly<Record<string, unknown>>;

/** Deeper than any webhook's payload by a factor of five. */
const maxDepth = 50;
/** Longer than any address, name or tag. */
const maxTextChars = 2048;

/**
 * The object in a body: JSON, or an HTML form whose field `payload` holds it (GitHub's and Gitea's other content type);
 * undefined where it is neither, not UTF-8, or nested more than 50 levels deep.
 */
export function parsePayload(body: Uint8Array, contentType: string | undefined): Payload | undefined {
  const text = decode(body);
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(contentType ?? '');
  const json = isForm && text !== undefined ? new URLSearchParams(text).get('payload') : text;
  return json == null ? undefined : parseObject(json);
}

/** The object in a JSON text; undefined where it holds none, or one that is nested too deep. */
export function parseObject(json: string): Payload | undefined {
  if (isDeep(json)) return undefined;
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What is under these keys, each a member of the object's own; undefined where there is nothing. */
export function findValue(value: unknown, ...keys: readonly string[]): unknown {
  let found = value;
  // `__proto__` and `constructor` are members of every object, but not its own.
  for (const key of keys) found = isObject(found) && Object.hasOwn(found, key) ? found[key] : undefined;
  return found;
}

/** The text under these keys; undefined where there is none, an empty one or a very long one. */
export function findText(value: unknown, ...keys: readonly string[]): string | undefined {
  const found = findValue(value, ...keys);
  return typeof found === 'string' && found !== '' && found.length <= maxTextChars ? found : undefined;
}

/** The list under these keys; empty where there is none. */
export function findList(value: unknown, ...keys: readonly string[]): readonly unknown[] {
  const found = findValue(value, ...keys);
  return Array.isArray(found) ? found : [];
}

function isObject(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** One look at each sign: a pattern for strings would begin again at every quote of one that does not end. */
function isDeep(json: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let index = 0; index < json.length; index += 1) {
    const sign = json[index];
    if (sign === '"') quoted = !quoted;
    else if (quoted && sign === '\\') index += 1;
    else if (!quoted && (sign === '[' || sign === '{')) depth += 1;
    else if (!quoted && (sign === ']' || sign === '}')) depth -= 1;
    if (depth > maxDepth) return true;
  }
  return false;
}
