/** Flux's dialect: `ImageRepository`, `ImagePolicy` and the paths of `ImageUpdateAutomation`, read as they are. */
import type { Problem } from '../../error/problem.ts';
import type { Policy } from '../policy.ts';
import type { Dialect, PieceFindings, PolicyDocument, PolicyFindings } from './dialect.ts';
import { type AutomationPiece, readAutomation } from './flux-automation.ts';
import { type FluxPolicyPiece, readFluxPolicy, toPolicy } from './flux-policy.ts';
import { type RepositoryPiece, readRepository } from './flux-repository.ts';
import { openObject, reportOn } from './kubernetes-object.ts';

const group = 'image.toolkit.fluxcd.io/';

/** One of Flux's image objects; a policy needs the repository it refers to, which may stand in another file. */
export type FluxPiece = FluxPolicyPiece | RepositoryPiece | AutomationPiece;

const readers: Readonly<Record<string, (document: PolicyDocument) => PieceFindings<FluxPiece>>> = {
  ImagePolicy: readFluxPolicy,
  ImageRepository: readRepository,
  ImageUpdateAutomation: readAutomation,
};

/** Source: the API reference of Flux's image-reflector and image-automation controllers, v1 and v1beta2. */
export const fluxDialect: Dialect<FluxPiece> = {
  namespace: 'default',
  mayHold: (text) => text.includes(group),
  claims(document) {
    const apiVersion = document.get('apiVersion');
    return typeof apiVersion === 'string' && apiVersion.startsWith(group);
  },
  read(document) {
    const kind = String(document.document.get('kind'));
    const read = Object.hasOwn(readers, kind) ? readers[kind] : undefined;
    if (read !== undefined) return read(document);
    const object = openObject(document);
    return {
      pieces: [],
      problems: [
        reportOn(object, 'PolicyInvalid', ['kind'], {
          found: `${JSON.stringify(kind)} was found`,
          wanted: 'ImagePolicy, ImageRepository or ImageUpdateAutomation',
        }),
      ],
    };
  },
  resolve: resolveFlux,
};

function resolveFlux(pieces: readonly FluxPiece[]): PolicyFindings {
  const repositories = new Map(
    pieces.flatMap((piece) => (piece.kind === 'repository' ? [[piece.key, piece] as const] : [])),
  );
  const automations = pieces.filter((piece) => piece.kind === 'automation');
  const policies: Policy[] = [];
  const problems: Problem[] = [];
  for (const piece of pieces.filter((candidate) => candidate.kind === 'policy')) {
    const found = toPolicy(piece, { repository: repositories.get(piece.repositoryKey), automations });
    if ('code' in found) problems.push(found);
    else policies.push(found);
  }
  return { policies, problems };
}
