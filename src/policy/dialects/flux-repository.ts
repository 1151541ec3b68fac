import { createProblem, type Problem, toProblem } from '../../error/problem.ts';
import { TallymanError } from '../../error/tallyman-error.ts';
import { type ImageRepository, parseImageReference } from '../../image/reference.ts';
import { parsePattern } from '../pattern.ts';
import type { PieceFindings, PolicyDocument } from './dialect.ts';
import { openObject, reportOn } from './kubernetes-object.ts';

/** What an `ImageRepository` says of an image. */
export interface RepositoryPiece {
  readonly kind: 'repository';
  readonly key: string;
  readonly image: string;
  readonly repository: ImageRepository;
  readonly exclude: readonly string[];
  readonly suspend: boolean;
}

/** Cosign's signatures: what Flux leaves out where no list is given. */
const defaultExclusions = ['^.*\\.sig$'];

/** Source: ImageRepository.spec of image.toolkit.fluxcd.io. */
export function readRepository(document: PolicyDocument): PieceFindings<RepositoryPiece> {
  const object = openObject(document);
  const image = object.text(['spec', 'image']) ?? '';
  const problems: Problem[] = [];
  const exclude = object.list(['spec', 'exclusionList']) ?? defaultExclusions;
  for (const [index, pattern] of exclude.entries()) {
    try {
      parsePattern(pattern);
    } catch (error) {
      problems.push(toProblem(error, { place: object.placeOf(['spec', 'exclusionList', index]), policy: object.key }));
    }
  }
  if (object.has(['spec', 'secretRef'])) {
    const remedy = 'Give the credentials of this registry under `registries` in the configuration.';
    const found = 'policy files name no credentials here';
    problems.push(
      reportOn(object, 'PolicyPartial', ['spec', 'secretRef'], {
        found,
        wanted: 'an entry in the configuration',
        remedy,
      }),
    );
  }
  const repository = readImage(image);
  if (repository instanceof TallymanError) {
    problems.push(
      createProblem('PolicyInvalid', repository.message, {
        place: object.placeOf(['spec', 'image']),
        policy: object.key,
      }),
    );
  }
  if (repository instanceof TallymanError || problems.some(({ code }) => code === 'PolicyInvalid'))
    return { pieces: [], problems };
  const suspend = object.text(['spec', 'suspend']) === 'true';
  return { pieces: [{ kind: 'repository', key: object.key, image, repository, exclude, suspend }], problems };
}

function readImage(image: string): ImageRepository | TallymanError {
  try {
    const { host, path, tag, digest } = parseImageReference(image);
    if (tag === undefined && digest === undefined) return { host, path };
    return new TallymanError(
      'PolicyInvalid',
      `Cannot use image "${image}": it names a version, a repository alone was wanted`,
    );
  } catch (error) {
    if (error instanceof TallymanError) return error;
    throw error;
  }
}
