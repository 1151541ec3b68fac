/** Manifests as large Yaml repos have them. */

export interface RepoSize {
  readonly fileCount: number;
  readonly policyCount: number;
  /** Of every second policy: `72h` */
  readonly minimumAge?: string;
}

const filesPerFolder = 50;

/** Policies are spread over the folders; each is for the image of one file. */
export function indexOfFile(policy: number, { fileCount, policyCount }: RepoSize): number {
  return policy * Math.floor(fileCount / policyCount);
}

/** A Yaml repo of deployments, each with an image of its own, and policies for some of them. */
export function makeFiles(prefix: string, size: RepoSize): Record<string, string> {
  const { fileCount, policyCount, minimumAge } = size;
  const files: Record<string, string> = {};
  const folderOf = (index: number) => `apps/${String(Math.floor(index / filesPerFolder)).padStart(3, '0')}`;
  for (let index = 0; index < fileCount; index += 1)
    files[`${folderOf(index)}/app-${index}.yaml`] = formatDeployment(`app-${index}`, `${prefix}/app-${index}:1.0.0`);
  for (let policy = 0; policy < policyCount; policy += 1) {
    const index = indexOfFile(policy, size);
    files[`${folderOf(index)}/policy-${index}.yaml`] =
      formatPolicy(`app-${index}`, `${prefix}/app-${index}`) +
      (minimumAge === undefined || policy % 2 === 0 ? '' : `  minimumAge: ${minimumAge}\n`);
  }
  return files;
}

function formatPolicy(name: string, image: string): string {
  return `apiVersion: tallyman.dev/v1alpha1
kind: ImagePolicy
metadata: { name: ${name}, namespace: bench }
spec:
  image: ${image}
  select: { semver: "^1.0.0" }
`;
}

/** 50 lines, as people write them. */
function formatDeployment(name: string, image: string): string {
  const variables = Array.from(
    { length: 6 },
    (_, index) => `            - name: SETTING_${index}\n              value: "${name} ${index}"\n`,
  );
  return `# ${name}: kept by the platform team
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  labels:
    app.kubernetes.io/name: ${name}
    app.kubernetes.io/part-of: shop
spec:
  replicas: 3
  selector:
    matchLabels:
      app.kubernetes.io/name: ${name}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: ${name}
    spec:
      serviceAccountName: ${name}
      containers:
        - name: app
          image: ${image}
          imagePullPolicy: IfNotPresent
          ports:
            - { name: http, containerPort: 8080 }
          env:
${variables.join('')}          resources:
            requests: { cpu: 100m, memory: 128Mi }
            limits: { memory: 256Mi }
          readinessProbe:
            httpGet:
              path: /ready
              port: http
          livenessProbe:
            httpGet:
              path: /live
              port: http
      terminationGracePeriodSeconds: 30
`;
}
