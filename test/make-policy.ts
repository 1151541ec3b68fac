import { parseImageReference } from '../src/image/reference.ts';
import type { Policy, SemverRule } from '../src/policy/policy.ts';
import type { Selection } from '../src/select/selection.ts';

/** A policy for tests: any version of ghcr.io/acme/web, unless told otherwise. */
export function testPolicy(parts: Partial<Policy> = {}): Policy {
  const namespace = parts.namespace ?? 'shop';
  const name = parts.name ?? 'web';
  const image = parts.image ?? 'ghcr.io/acme/web';
  const { host, path } = parseImageReference(image);
  return {
    key: `${namespace}/${name}`,
    namespace,
    name,
    object: { apiVersion: 'tallyman.dev/v1alpha1', kind: 'ImagePolicy', namespace, name },
    image,
    repository: { host, path },
    select: semverRule('*'),
    include: [],
    exclude: [],
    extract: undefined,
    skip: [],
    allowDowngrade: false,
    minimumAgeMs: 0,
    platforms: [],
    ties: 'shortest',
    pin: 'keep',
    paths: { globs: [''], explicit: false },
    targets: [],
    markersOnly: false,
    suspend: false,
    source: { file: 'policy.yaml', line: 1, column: 1 },
    ...parts,
  };
}

/** A range of npm semver. */
export function semverRule(range: string, parts: Partial<SemverRule> = {}): SemverRule {
  return { kind: 'semver', range, prereleases: false, coerce: false, grammar: 'npm', ...parts };
}

/** A selection for tests: an update of shop/web to 1.5.0, unless told otherwise. */
export function testSelection(parts: Partial<Selection> = {}): Selection {
  return {
    kind: 'update',
    policy: 'shop/web',
    current: undefined,
    tag: '1.5.0',
    digest: undefined,
    reason: 'test',
    wakeMs: undefined,
    tags: [],
    ...parts,
  };
}
