/** Reads key files of Google's clients, member by member. */
import type { TallymanError } from '../../error/tallyman-error.ts';
import { findAddressScope } from '../address.ts';
import { isObject } from '../json.ts';
import { type SignIn, toIdentityError } from './ask.ts';
import { requireUrl } from './environment.ts';

/** The variable that names the file. */
export const variable = 'GOOGLE_APPLICATION_CREDENTIALS';
/** Docker pulls from both registries need it; what may be pulled is up to the roles of the identity. */
export const scope = 'https://www.googleapis.com/auth/cloud-platform';

export interface KeyFile {
  /** The member's text; undefined where it is missing, empty or none. */
  find(member: string): string | undefined;
  /** As `find`; RegistryDenied where there is none. */
  require(member: string): string;
  /** The URL `text` of the member: https, or http on this machine and to a metadata server. */
  requireUrl(member: string, text: string): URL;
  /** The object under the member; empty where there is none. */
  open(member: string): KeyFile;
  /** The texts of the object under the member. */
  list(member: string): Readonly<Record<string, string>>;
  toFault(member: string, wanted: string): TallymanError;
}

/** `content`: the JSON object; what is missing says so when it is asked for. `path`: of the object in the file. */
export function createKeyFile(
  signIn: SignIn,
  content: Readonly<Record<string, unknown>> | undefined,
  path = '',
): KeyFile {
  const find = (member: string): string | undefined => {
    const value = content?.[member];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const toFault = (member: string, wanted: string): TallymanError => {
    const found = content === undefined ? 'no JSON object' : `no usable ${path}${member}`;
    const remedy = `Name a key file of Google Cloud in ${variable}.`;
    return toIdentityError(signIn, { found: `the file of ${variable} has ${found}`, wanted, remedy });
  };
  const open = (member: string): KeyFile => {
    const inner = content?.[member];
    return createKeyFile(signIn, isObject(inner) ? inner : {}, `${path}${member}.`);
  };
  return {
    find,
    toFault,
    open,
    require: (member) => {
      const text = find(member);
      if (text === undefined) throw toFault(member, 'a text');
      return text;
    },
    requireUrl: (member, text) =>
      requireUrl(signIn, {
        name: `${path}${member} in the file of ${variable}`,
        text,
        wanted: 'an https address',
        isAllowed: ({ protocol, hostname }) =>
          protocol === 'https:' ||
          (protocol === 'http:' && ['loopback', 'link-local'].includes(findAddressScope(hostname))),
      }),
    list: (member) => {
      const inner = content?.[member];
      const texts = Object.entries(isObject(inner) ? inner : {}).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      );
      return Object.fromEntries(texts.map(([name, text]) => [name.toLowerCase(), text]));
    },
  };
}
