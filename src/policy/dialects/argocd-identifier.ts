import { TallymanError } from '../../error/tallyman-error.ts';
import { showText } from './argocd-fields.ts';

/**
 * An image as Argo CD Image Updater has it in its lists. `web=ghcr.io/acme/web:~1.4` is
 * `{ alias: 'web', registry: 'ghcr.io', name: 'acme/web', tag: '~1.4', digest: undefined }`
 */
export interface ImageIdentifier {
  /** `''` where there is none. */
  readonly alias: string;
  /** `''` where none is written: Docker Hub. */
  readonly registry: string;
  readonly name: string;
  /** The constraint; `''` where a digest stands without one. */
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const host = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?$/;
const alias = /^[A-Za-z0-9](?:[A-Za-z0-9._/:-]*[A-Za-z0-9._/-])?$/;

/**
 * The parts of `[alias=]image[:constraint][@digest]`; throws `PolicyInvalid` where no image is named. The name is not
 * checked further. An `=` that belongs to an operator (`web:>=1.2`) ends no alias, and a host needs no dot where it has a
 * port: the peer reads both otherwise. Source: image lists of Argo CD Image Updater 1.x.
 *
 * @example
 * parseImageIdentifier('nginx:~1.26') // { alias: '', registry: '', name: 'nginx', tag: '~1.26', digest: undefined }
 */
export function parseImageIdentifier(text: string): ImageIdentifier {
  const { before, rest } = splitAlias(text);
  const at = rest.indexOf('@');
  const digest = at === -1 ? undefined : rest.slice(at + 1);
  const { registry, path } = splitRegistry(at === -1 ? rest : rest.slice(0, at));
  const colon = path.indexOf(':');
  const written = colon === -1 ? path : path.slice(0, colon);
  const constraint = colon === -1 ? undefined : path.slice(colon + 1).trim();
  const name = registry === 'docker.io' ? written.replace(/^library\/(?=.)/, '') : written;
  if (name === '') {
    throw new TallymanError(
      'PolicyInvalid',
      `Cannot read image ${showText(text)}: it names no image, [alias=]image[:constraint] was wanted`,
    );
  }
  return { alias: before, registry, name, tag: constraint ?? (digest === undefined ? undefined : ''), digest };
}

function splitAlias(text: string): { before: string; rest: string } {
  const equals = text.indexOf('=');
  const before = text.slice(0, Math.max(0, equals)).trim();
  const isAlias = equals !== -1 && before.length <= 253 && (before === '' || alias.test(before));
  return isAlias ? { before, rest: text.slice(equals + 1).trim() } : { before: '', rest: text.trim() };
}

/** As distribution/reference has it: the first component is a host where it looks like one. */
function splitRegistry(text: string): { registry: string; path: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(0, slash));
  const looksLikeHost = /[.:A-Z]/.test(first) || first === 'localhost';
  return slash !== -1 && looksLikeHost && host.test(first)
    ? { registry: first, path: text.slice(slash + 1) }
    : { registry: '', path: text };
}
