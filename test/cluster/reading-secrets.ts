/** The objects of tests about Secrets. */
import { deployedRules, grantRights } from '../services/cluster-rights.ts';

/** A Secret with these texts. */
export function secretOf(
  namespace: string,
  name: string,
  stringData: Readonly<Record<string, string>>,
  type = 'Opaque',
): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name }, type, stringData };
}

/** Tallyman's service account in its namespace, and a Role in `namespace` with what reading these takes, and nothing else. */
export function allowReading({
  namespace,
  secrets,
  serviceAccounts = [],
}: {
  namespace: string;
  secrets: readonly string[];
  serviceAccounts?: readonly string[];
}): readonly object[] {
  const account = { namespace: 'tallyman', name: 'tallyman' };
  const rules = [
    ...(secrets.length > 0 ? deployedRules(['secrets'], secrets) : []),
    ...(serviceAccounts.length > 0 ? deployedRules(['serviceaccounts'], serviceAccounts) : []),
  ];
  return grantRights(account, rules, namespace);
}
