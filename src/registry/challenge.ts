/** Reads what a registry demands in WWW-Authenticate. */

/** One challenge. `{ scheme: 'bearer', parameters: Map { 'realm' => 'https://auth.docker.io/token', … } }` */
export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  /** Names in lower case, values as they were written; empty values are kept. */
  readonly parameters: ReadonlyMap<string, string>;
}

const separators = /[\s,]*/y;
const word = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
/** A value follows: quoted (the closing quote may be lost), or bare up to the next comma or space. */
const value = /\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^\s,"]*))/y;
/** The one-value form `Negotiate abc==`, which is not followed by a value. */
const token68 = /[ \t]+[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/y;

/**
 * Every challenge of the header, in its order; several may share one header, or be joined from several header lines.
 * What follows no grammar is left out. Source: RFC 9110, section 11.6.1.
 *
 * @example
 * parseChallenges('Basic realm="x"') // [{ scheme: 'basic', parameters: new Map([['realm', 'x']]) }]
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(header);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  while (at < header.length) {
    take(separators);
    const name = take(word)?.[0]?.toLowerCase();
    if (name === undefined) {
      at += 1;
      continue;
    }
    const found = take(value);
    if (found === null) {
      challenges.push({ scheme: name, parameters: new Map() });
      take(token68);
      continue;
    }
    const parameters = challenges.at(-1)?.parameters;
    const text = found[1]?.replace(/\\(.)/g, '$1') ?? found[2] ?? '';
    if (parameters !== undefined && !parameters.has(name)) parameters.set(name, text);
  }
  return challenges;
}

/** The challenge to answer: Bearer before Basic, whatever their order; undefined where neither is offered. */
export function selectChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  const usable = (scheme: string) => (challenge: Challenge) =>
    challenge.scheme === scheme && (scheme === 'basic' || challenge.parameters.has('realm'));
  return challenges.find(usable('bearer')) ?? challenges.find(usable('basic'));
}
