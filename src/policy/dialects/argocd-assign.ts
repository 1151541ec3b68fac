/** Which entry of which ImageUpdater is for which Application. */
import { createProblem, type Problem } from '../../error/problem.ts';
import type { ApplicationPiece } from './argocd-application.ts';
import { showText } from './argocd-fields.ts';
import type { ApplicationRef, UpdaterPiece } from './argocd-image-updater.ts';
import type { ImageUse } from './argocd-policies.ts';
import { createMatcher, rateSelector } from './argocd-selector.ts';

type Ready = ApplicationRef & ReturnType<typeof createMatcher>;

/** For each ImageUpdater and Application the most specific entry, as in the peer; an entry that means none is reported. */
export function assignApplications(
  applications: readonly ApplicationPiece[],
  updaters: readonly UpdaterPiece[],
): { readonly uses: readonly ImageUse[]; readonly problems: readonly Problem[] } {
  const uses: ImageUse[] = [];
  const problems: Problem[] = [];
  for (const updater of updaters) {
    const inside = applications.filter(({ namespace }) => isSame(namespace, updater.namespace));
    const refs: Ready[] = updater.refs.map((ref) => ({ ...ref, ...createMatcher(ref.selector) }));
    // The sort is stable: of equally specific ones the first counts.
    const ranked = [...refs].sort((a, b) => rateSelector(b.selector) - rateSelector(a.selector));
    for (const application of inside) {
      const ref = ranked.find(
        (candidate) => candidate.matchesName(application) && candidate.matchesLabels(application),
      );
      if (ref === undefined) continue;
      if (!ref.useAnnotations) {
        const namespace = application.namespace ?? updater.namespace;
        uses.push({ application, namespace, rules: ref.rules, writeBackTarget: ref.writeBackTarget });
      } else if (application.list === undefined) problems.push(describeBare(application, ref));
    }
    problems.push(...refs.flatMap((ref) => describeUnused(ref, inside) ?? []));
  }
  return { uses, problems };
}

/** A namespace that nobody wrote may be any. */
function isSame(a: string | undefined, b: string | undefined): boolean {
  return a === undefined || b === undefined || a === b;
}

function describeBare({ name }: ApplicationPiece, { source }: ApplicationRef): Problem {
  const found = `application ${showText(name)} has no annotation "image-list"`;
  return createProblem('PolicyPartial', `Cannot carry over "useAnnotations": ${found}, which names the images`, {
    place: source,
  });
}

function describeUnused(ref: Ready, applications: readonly ApplicationPiece[]): Problem | undefined {
  const { selector, source } = ref;
  const named = applications.filter(ref.matchesName);
  if (named.some(ref.matchesLabels)) return undefined;
  const byLabels = named.length > 0 && selector.labels !== undefined;
  const field = byLabels ? 'labelSelectors' : 'namePattern';
  const found = byLabels
    ? `none of the ${named.length} Applications named ${showText(selector.glob)} has these labels in the Yaml repo`
    : `no Application of the namespace in the Yaml repo is named ${showText(selector.glob)}`;
  return createProblem('PolicyPartial', `Cannot carry over "${field}": ${found}`, {
    place: byLabels && selector.labels !== undefined ? selector.labels.place : source,
    remedy: 'Keep the Application in the Yaml repo, or write an ImagePolicy of tallyman.dev/v1alpha1 for the image.',
  });
}
