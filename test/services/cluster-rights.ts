/** Rights in a cluster for tests: exactly what deploy/ gives, so that one that is missing there fails the test. */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';

interface Rule {
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

const deployed: readonly Rule[] = ['cluster-role', 'role']
  .flatMap((name) => parseAllDocuments(readFileSync(`deploy/base/${name}.yaml`, 'utf8')))
  .flatMap((document) => document.toJS().rules ?? []);

/** What deploy/ allows with these resources; where it names objects, these take their place, all where none are given. */
export function deployedRules(resources: readonly string[], names?: readonly string[]): readonly object[] {
  const found = deployed.filter((rule) => rule.resources.some((resource) => resources.includes(resource)));
  return found.map(({ resourceNames, ...rule }) => ({
    ...rule,
    ...(resourceNames !== undefined && names !== undefined && { resourceNames: names }),
  }));
}

interface Account {
  readonly namespace: string;
  readonly name: string;
}

/** The service account, a role of its name with these rules, and the binding: in that namespace alone, in all where none is named. */
export function grantRights(account: Account, rules: readonly object[], namespace?: string): readonly object[] {
  const apiGroup = 'rbac.authorization.k8s.io';
  const apiVersion = `${apiGroup}/v1`;
  const kind = namespace === undefined ? 'ClusterRole' : 'Role';
  const metadata = { name: account.name, ...(namespace !== undefined && { namespace }) };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: account },
    { apiVersion, kind, metadata, rules },
    {
      apiVersion,
      kind: `${kind}Binding`,
      metadata,
      roleRef: { apiGroup, kind, name: account.name },
      subjects: [{ kind: 'ServiceAccount', ...account }],
    },
  ];
}
