/** Yaml repo files for the end-to-end tests. */

/** A Deployment with one container. */
export function formatDeployment(name: string, image: string): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  template:
    spec:
      containers:
        - name: ${name}
          image: ${image}
`;
}

/** An ImagePolicy in namespace `shop`; `select` is YAML in flow style. */
export function formatPolicy(name: string, image: string, select = '{ semver: ">=1.0.0 <2.0.0" }'): string {
  return `apiVersion: tallyman.dev/v1alpha1
kind: ImagePolicy
metadata:
  name: ${name}
  namespace: shop
spec:
  image: ${image}
  select: ${select}
`;
}

/** A policy and a Deployment for one image, in a folder of their own. */
export function makeApp(name: string, image: string, tag: string): Record<string, string> {
  return {
    [`${name}/policy.yaml`]: formatPolicy(name, image),
    [`${name}/deployment.yaml`]: formatDeployment(name, `${image}:${tag}`),
  };
}
