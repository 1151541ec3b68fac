/** Rights in a cluster for tests: exactly what is named, so that a missing one fails the test. */

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
