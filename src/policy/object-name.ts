import type { ObjectName } from '../error/tallyman-error.ts';

/** Source: RFC 1123 as Kubernetes has it, "Object Names and IDs"; an object may be named by several labels with dots between them. */
const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
/** Of at most `maxNamespaceLength` characters. */
export const namespacePattern = new RegExp(`^${label}$`);
export const maxNamespaceLength = 63;
/** Of at most `maxNameLength` characters. */
export const namePattern = new RegExp(`^${label}(?:\\.${label})*$`);
export const maxNameLength = 253;
const versionPattern = new RegExp(`^(?:${label}(?:\\.${label})*/)?${label}$`);

/**
 * Whether an object of a namespace may be called so: what files say may be anything.
 *
 * @example
 * isObjectName({ apiVersion: 'v1', kind: 'Pod', namespace: '..', name: 'web' }) // false
 */
export function isObjectName({ apiVersion, kind, namespace, name }: ObjectName): boolean {
  return (
    isText(apiVersion, 253) &&
    versionPattern.test(apiVersion) &&
    isText(kind, 63) &&
    /^[A-Za-z][A-Za-z0-9]*$/.test(kind) &&
    isText(namespace, maxNamespaceLength) &&
    namespacePattern.test(namespace) &&
    isNameOfObject(name)
  );
}

/** Whether it may be the name of an object. */
export function isNameOfObject(name: unknown): name is string {
  return isText(name, maxNameLength) && namePattern.test(name);
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length <= maxLength;
}
