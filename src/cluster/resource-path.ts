/** A kind of object as the API server's addresses name it. `{ group: 'events.k8s.io', version: 'v1', plural: 'events' }` */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** In lower case. */
  readonly plural: string;
}

/** Which objects: of all namespaces, of one, or one by name; `subresource` is a part of that. */
export interface ObjectPlace {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: 'status' | undefined;
}

/** The path of an object, or of a collection: `/apis/events.k8s.io/v1/namespaces/shop/events`. Kubernetes API Concepts, "Resource URIs". Throws where a part is no name. */
export function formatPath(
  { group, version, plural }: Resource,
  { namespace, name, subresource }: ObjectPlace = {},
): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const parts = [
    ...(namespace === undefined ? [] : ['namespaces', namespace]),
    plural,
    ...(name === undefined ? [] : [name]),
    ...(subresource === undefined ? [] : [subresource]),
  ];
  return [root, ...parts.map(encodePart)].join('/');
}

/** Such parts would lead to other objects, for URLs take them for folders. */
function encodePart(part: string): string {
  if (['', '.', '..'].includes(part)) throw new Error(`"${part}" names no object`);
  return encodeURIComponent(part);
}
