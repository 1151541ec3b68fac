/** Where an Application is that names no namespace, and where the peer looks for it. */
export const defaultNamespace = 'argocd';

/**
 * The key of an image's policy; whatever cannot stand in a DNS-1123 name is a dash.
 *
 * @example
 * formatImageKey({ namespace: undefined, name: 'shop' }, 'Acme_Web') // 'argocd/shop-acme-web'
 */
export function formatImageKey(
  application: { readonly namespace: string | undefined; readonly name: string },
  image: string,
): string {
  const name = `${application.name}-${image}`.toLowerCase().replace(/[^a-z0-9.-]+/g, '-');
  const valid = name
    .slice(0, 253)
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .replace(/\.[.-]+|-+\./g, '.');
  return `${application.namespace ?? defaultNamespace}/${valid}`;
}
