import assert from 'node:assert/strict';
import type { Problem } from '../../src/error/problem.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { readPolicies } from '../../src/policy/read-policies.ts';

export const prefix = 'argocd-image-updater.argoproj.io/';

/** An Application whose first annotation is on line 7; each is `name: value` without the prefix. */
export function application(
  annotations: readonly string[],
  spec: readonly string[] = ['source: { path: deploy/web }'],
): string {
  return [
    'apiVersion: argoproj.io/v1alpha1',
    'kind: Application',
    'metadata:',
    '  name: shop',
    '  namespace: team-a',
    '  annotations:',
    ...annotations.map((line) => `    ${prefix}${line}`),
    'spec:',
    ...spec.map((line) => `  ${line}`),
  ].join('\n');
}

/** The policies of one annotated Application's text. */
export const read = (text: string) => readPolicies(text, 'apps/shop.yaml');
/** Its only policy, of which nothing is reported. */
export const only = (text: string): Policy => {
  const { policies, problems } = read(text);
  assert.deepEqual([policies.length, problems], [1, []]);
  const [policy] = policies;
  assert.ok(policy);
  return policy;
};
/** What matters of a problem. */
export const brief = ({ code, message, place, policy }: Problem) => ({
  code,
  message,
  at: [place?.line, place?.column],
  policy,
});
