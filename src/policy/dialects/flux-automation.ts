import type { Problem } from '../../error/problem.ts';
import { resolveGlob } from '../glob.ts';
import type { PieceFindings, PolicyDocument } from './dialect.ts';
import { openObject, reportOn } from './kubernetes-object.ts';

/** What an `ImageUpdateAutomation` says of where the policies of its namespace are written. */
export interface AutomationPiece {
  readonly kind: 'automation';
  readonly namespace: string;
  /** From the repository's root; undefined where it cannot be used: then nothing may be written. */
  readonly path: string | undefined;
  readonly suspend: boolean;
}

/** What is the operator's business here, or has no meaning without Flux's controllers. */
const notCarried: readonly (readonly [readonly string[], string])[] = [
  [['spec', 'git', 'push', 'branch'], '`branch` of the Yaml repo in the configuration'],
  [['spec', 'git', 'push', 'refspec'], '`branch` of the Yaml repo in the configuration'],
  [['spec', 'git', 'commit', 'messageTemplate'], "Tallyman's own message"],
  [['spec', 'git', 'commit', 'signingKey'], 'a setting of the configuration'],
  [['spec', 'policySelector'], 'all policies of the namespace'],
];

/** Source: ImageUpdateAutomation.spec of image.toolkit.fluxcd.io. */
export function readAutomation(document: PolicyDocument): PieceFindings<AutomationPiece> {
  const object = openObject(document);
  const problems: Problem[] = notCarried
    .filter(([path]) => object.has(path))
    .map(([path, wanted]) => reportOn(object, 'PolicyPartial', path, { found: 'it has no meaning here', wanted }));
  const strategy = object.text(['spec', 'update', 'strategy']) ?? 'Setters';
  if (strategy !== 'Setters') {
    problems.push(
      reportOn(object, 'PolicyInvalid', ['spec', 'update', 'strategy'], {
        found: `${JSON.stringify(strategy)} was found`,
        wanted: '"Setters"',
      }),
    );
  }
  const written = object.text(['spec', 'update', 'path']) ?? '';
  const path = resolveGlob('', written);
  if (path === undefined) {
    problems.push(
      reportOn(object, 'PolicyInvalid', ['spec', 'update', 'path'], {
        found: 'it leads out of the repository',
        wanted: 'a path inside it',
      }),
    );
  }
  const suspend = object.text(['spec', 'suspend']) === 'true';
  return { pieces: [{ kind: 'automation', namespace: object.namespace, path, suspend }], problems };
}
