/** The policies of one Application's images. */
import { createProblem, type Problem } from '../../error/problem.ts';
import type { Policy } from '../policy.ts';
import type { ApplicationPiece } from './argocd-application.ts';
import { type Located, showText } from './argocd-fields.ts';
import type { ImageRule } from './argocd-image.ts';
import { defaultNamespace, formatImageKey } from './argocd-key.ts';
import { findPlaces } from './argocd-places.ts';
import type { PolicyFindings } from './dialect.ts';

/** Images and the Application they are for. */
export interface ImageUse {
  readonly application: ApplicationPiece;
  readonly namespace: string | undefined;
  readonly rules: readonly ImageRule[];
  readonly writeBackTarget: Located<string> | undefined;
}

/**
 * One policy for each image, named `<application>-<alias>` or `<application>-<last component of the image>`, and by its whole
 * path where that is taken. Two images of one name are an error, of the second.
 */
export function listPolicies(use: ImageUse, alone: boolean): PolicyFindings {
  const policies = new Map<string, Policy>();
  const problems: Problem[] = [];
  const { apiVersion, name } = use.application;
  const object = { apiVersion, kind: 'Application', namespace: use.namespace ?? defaultNamespace, name };
  for (const rule of use.rules) {
    const key = chooseKey(use, rule, (candidate) => policies.has(candidate));
    if (policies.has(key)) {
      const message = `Cannot use image ${showText(rule.image)}: application "${use.application.name}" has policy "${key}" already, an alias of its own was wanted`;
      problems.push(createProblem('PolicyInvalid', message, { place: rule.source.place, policy: key, object }));
      continue;
    }
    const places = findPlaces(
      use.application.sources,
      { helm: rule.helm, writeBackTarget: use.writeBackTarget },
      { alone, policy: key },
    );
    problems.push(...places.problems);
    policies.set(key, { ...toPolicy(key, rule, places), object });
  }
  return { policies: [...policies.values()], problems };
}

function toPolicy(
  key: string,
  rule: ImageRule,
  { paths, targets }: Pick<Policy, 'paths' | 'targets'>,
): Omit<Policy, 'object'> {
  const { image, repository, select, include, exclude, platforms, pin } = rule;
  const [namespace = '', name = ''] = key.split('/');
  return {
    key,
    namespace,
    name,
    image,
    repository,
    select,
    include,
    exclude,
    extract: undefined,
    skip: [],
    allowDowngrade: false,
    minimumAgeMs: 0,
    platforms,
    ties: 'last',
    pin,
    paths,
    targets,
    markersOnly: false,
    suspend: false,
    source: rule.source.place,
  };
}

function chooseKey({ application, namespace }: ImageUse, rule: ImageRule, isTaken: (key: string) => boolean): string {
  const { path } = rule.repository;
  const owner = { name: application.name, namespace };
  if (rule.alias !== '') return formatImageKey(owner, rule.alias);
  const short = formatImageKey(owner, path.split('/').at(-1) ?? path);
  return isTaken(short) ? formatImageKey(owner, path) : short;
}
