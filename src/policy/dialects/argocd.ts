/** Argo CD Image Updater: annotated Applications and ImageUpdater objects. */
import { createProblem, type Problem, toProblem } from '../../error/problem.ts';
import { TallymanError } from '../../error/tallyman-error.ts';
import { annotationPrefix } from './argocd-annotations.ts';
import { type ApplicationPiece, readApplication, readApplicationSet } from './argocd-application.ts';
import { assignApplications } from './argocd-assign.ts';
import { createFields } from './argocd-fields.ts';
import { readImageUpdater, type UpdaterPiece } from './argocd-image-updater.ts';
import { defaultNamespace } from './argocd-key.ts';
import { listPolicies } from './argocd-policies.ts';
import type { Dialect, PieceFindings, PolicyDocument, PolicyFindings } from './dialect.ts';

type Piece = ApplicationPiece | UpdaterPiece;

/** Not only the group: Argo's other objects stand in many a template that is no YAML. */
const applicationKind = /kind["']?[ \t]*:[ \t]*["']?Application/;

/**
 * Versions are written where the Yaml repo has them, never to a file of overrides. Newest-build is by trusted time, not by
 * the date that a publisher wrote into the image. Of the same version spelled twice the last in code-unit order is taken.
 */
export const argocdDialect: Dialect<Piece> = {
  namespace: defaultNamespace,
  mayHold: (text) => text.includes(annotationPrefix) || applicationKind.test(text),
  claims(document) {
    const [apiVersion, kind] = [document.get('apiVersion'), document.get('kind')];
    if (typeof apiVersion !== 'string') return false;
    const isApplication = kind === 'Application' || kind === 'ApplicationSet';
    return apiVersion.startsWith(annotationPrefix) || (apiVersion.startsWith('argoproj.io/') && isApplication);
  },
  read: readPieces,
  resolve: resolvePieces,
};

function readPieces(source: PolicyDocument): PieceFindings<Piece> {
  try {
    const fields = createFields(source);
    const { document } = source;
    if (String(document.get('apiVersion')).startsWith(annotationPrefix)) return readImageUpdater(fields);
    return document.get('kind') === 'Application' ? readApplication(fields, source.path) : readApplicationSet(fields);
  } catch (error) {
    if (!(error instanceof TallymanError)) throw error;
    return { pieces: [], problems: [toProblem(error)] };
  }
}

function resolvePieces(pieces: readonly Piece[]): PolicyFindings {
  const applications = pieces.filter((piece) => piece.kind === 'application');
  const updaters = pieces.filter((piece) => piece.kind === 'updater');
  const assigned = assignApplications(applications, updaters);
  const alone = applications.length === 1;
  const named = new Set(assigned.uses.map(({ application }) => application));
  const annotated = applications.filter((application) => application.rules.length > 0);
  const problems: Problem[] = annotated.filter((application) => named.has(application)).map(describeOverruled);
  const uses = [
    ...annotated
      .filter((application) => !named.has(application))
      .map((application) => ({ ...application, application })),
    ...assigned.uses,
  ];
  const found = uses.map((use) => listPolicies(use, alone));
  return {
    policies: found.flatMap(({ policies }) => policies),
    problems: [
      ...[...new Set(uses.map(({ application }) => application))].flatMap((application) => application.problems),
      ...assigned.problems,
      ...problems,
      ...found.flatMap((finding) => finding.problems),
    ],
  };
}

function describeOverruled({ list, source, name }: ApplicationPiece): Problem {
  const message = `Cannot carry over "${annotationPrefix}image-list": an ImageUpdater names the images of application "${name}"`;
  return createProblem('PolicyPartial', message, { place: list?.place ?? source });
}
