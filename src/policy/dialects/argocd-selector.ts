/** Which Applications an `applicationRef` means: by name, by labels, the most specific first. */

import { TallymanError } from '../../error/tallyman-error.ts';
import { parsePattern } from '../pattern.ts';
import { readLabels } from './argocd-application.ts';
import { type FieldPath, type Fields, type Located, showText } from './argocd-fields.ts';
import { translateGoGlob } from './argocd-glob.ts';

/** Plain data. `{ glob: 'web-*', pattern: '^(?s:web\\-[^/]*)$', labels: undefined }` */
export interface Selector {
  readonly glob: string;
  /** RE2 of the glob. */
  readonly pattern: string;
  readonly labels: LabelSelector | undefined;
}

interface LabelSelector {
  readonly place: Located<unknown>['place'];
  readonly matchLabels: Readonly<Record<string, string>>;
  readonly matchExpressions: readonly Expression[];
}

interface Expression {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

type Operator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';

const operators: Readonly<Record<Operator, (value: string | undefined, values: readonly string[]) => boolean>> = {
  In: (value, values) => value !== undefined && values.includes(value),
  NotIn: (value, values) => value === undefined || !values.includes(value),
  Exists: (value) => value !== undefined,
  DoesNotExist: (value) => value === undefined,
};

/** The selector of `spec.applicationRefs[n]`; throws `PolicyInvalid` with its place. */
export function readSelector(fields: Fields, path: FieldPath): Selector {
  const found = fields.text([...path, 'namePattern']);
  if (found === undefined || found.value === '') {
    const message = 'Cannot use field "namePattern": it is missing, the name of an Application or a glob was wanted';
    throw new TallymanError('PolicyInvalid', message, { place: fields.placeOf(path) });
  }
  const labels = fields.has([...path, 'labelSelectors'])
    ? readLabelSelector(fields, [...path, 'labelSelectors'])
    : undefined;
  return { glob: found.value, pattern: translateGoGlob(found.value), labels };
}

function readLabelSelector(fields: Fields, path: FieldPath): LabelSelector {
  const expressions = [...path, 'matchExpressions'];
  return {
    place: fields.placeOf(path, true),
    matchLabels: readLabels(fields, [...path, 'matchLabels']),
    matchExpressions: Array.from({ length: Math.min(fields.count(expressions), 100) }, (_, index) =>
      readExpression(fields, [...expressions, index]),
    ),
  };
}

function readExpression(fields: Fields, path: FieldPath): Expression {
  const operator = fields.text([...path, 'operator'])?.value ?? '';
  if (!isOperator(operator)) {
    const message = `Cannot use operator ${showText(operator)}: it is not known, one of ${Object.keys(operators).join(', ')} was wanted`;
    throw new TallymanError('PolicyInvalid', message, { place: fields.placeOf([...path, 'operator']) });
  }
  const values = fields.texts([...path, 'values'])?.map(({ value }) => value) ?? [];
  return { key: fields.text([...path, 'key'])?.value ?? '', operator, values };
}

function isOperator(text: string): text is Operator {
  return Object.hasOwn(operators, text);
}

interface Named {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What tells whether a selector means an application, its name and its labels apart. */
export function createMatcher({ pattern, labels }: Selector): {
  matchesName(application: Named): boolean;
  matchesLabels(application: Named): boolean;
} {
  const compiled = parsePattern(pattern);
  return {
    matchesName: ({ name }) => compiled.test(name),
    matchesLabels: (application) =>
      labels === undefined ||
      (Object.entries(labels.matchLabels).every(([key, value]) => getLabel(application, key) === value) &&
        labels.matchExpressions.every(({ key, operator, values }) =>
          operators[operator](getLabel(application, key), values),
        )),
  };
}

function getLabel({ labels }: Named, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/**
 * How specific a selector is: of several that mean an application the peer takes the highest alone. An exact name is above
 * labels, labels are above the length of the glob. Source: Argo CD Image Updater 1.x.
 */
export function rateSelector({ glob, labels }: Selector): number {
  const exact = /[*?[\]]/.test(glob) ? 0 : 1_000_000;
  const literals = glob.replace(/\[[^\]]*\]|[*?]/g, '').length;
  if (labels === undefined) return exact + literals;
  return exact + literals + 10_000 + 100 * (Object.keys(labels.matchLabels).length + labels.matchExpressions.length);
}
