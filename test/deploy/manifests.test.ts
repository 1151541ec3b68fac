/** What deploy/ holds, as kubectl and a real API server see it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { parseConfig } from '../../src/config/load-config.ts';
import { metricTable } from '../../src/metrics/metric-table.ts';
import { startKubernetes, type TestKubernetes } from '../services/kubernetes.ts';

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** Of the Prometheus operator, as much as a dry run needs. */
const serviceMonitorKind = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'servicemonitors.monitoring.coreos.com' },
  spec: {
    group: 'monitoring.coreos.com',
    names: { kind: 'ServiceMonitor', plural: 'servicemonitors', singular: 'servicemonitor' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

describe('deploy/', () => {
  let kubernetes: TestKubernetes;
  before(async () => {
    kubernetes = await startKubernetes();
    await kubernetes.createNamespace('tallyman');
    await kubernetes.apply([serviceMonitorKind]);
    await kubernetes.kubectl(['apply', '-k', 'deploy/crd']);
    const wanted = ['crd/servicemonitors.monitoring.coreos.com', 'crd/imagepolicies.tallyman.dev'];
    await kubernetes.kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...wanted]);
  });
  after(() => kubernetes?.close());

  const render = async (folder: string): Promise<readonly Manifest[]> =>
    parseAllDocuments(await kubernetes.kubectl(['kustomize', folder])).map((document) => document.toJS());

  for (const folder of ['deploy/overlays/embedded', 'deploy/overlays/redis', 'deploy/monitoring']) {
    it(`${folder} is taken by the API server, field by field`, async () => {
      const args = ['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-'];
      const input = await kubernetes.kubectl(['kustomize', folder]);
      const told = await kubernetes.kubectl(args, { input });
      assert.equal(told.trim().split('\n').length, (await render(folder)).length);
    });
  }

  it('runs pods that the strictest pod security lets in', async () => {
    await kubernetes.kubectl([
      'label',
      'namespace',
      'tallyman',
      'pod-security.kubernetes.io/enforce=restricted',
      '--overwrite',
    ]);
    const manifests = await render('deploy/overlays/embedded');
    const set = manifests.find(({ kind }) => kind === 'StatefulSet') as unknown as {
      spec: { template: { metadata: object; spec: { volumes: object[] } } };
    };
    const { metadata, spec } = set.spec.template;
    const volumes = [...spec.volumes, { name: 'state', emptyDir: {} }];
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, name: 'tallyman-0', namespace: 'tallyman' } };
    const args = ['apply', '--server-side', '--dry-run=server', '-f', '-'];
    const input = (more: object) => JSON.stringify({ ...pod, spec: { ...spec, volumes, ...more } });
    await kubernetes.kubectl(args, { input: input({}) });
    await assert.rejects(kubernetes.kubectl(args, { input: input({ hostNetwork: true }) }), /violates PodSecurity/);
  });

  describe('the kind ImagePolicy', () => {
    const policy = (spec: object, status?: object) => ({
      apiVersion: 'tallyman.dev/v1alpha1',
      kind: 'ImagePolicy',
      metadata: { namespace: 'tallyman', name: 'web' },
      spec,
      ...(status && { status }),
    });
    const web = { image: 'ghcr.io/acme/web', select: { semver: '^1.4.0' } };

    it('takes the samples', async () => {
      const args = ['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f'];
      await kubernetes.createNamespace('shop');
      await kubernetes.kubectl([...args, 'config/samples/image-policy.yaml']);
    });

    const wrong: Record<string, { spec: object; told: RegExp }> = {
      'two kinds': {
        spec: { ...web, select: { semver: '^1', calver: 'YYYY.MM' } },
        told: /exactly one of semver, calver/,
      },
      'no kind': { spec: { ...web, select: { prereleases: true } }, told: /exactly one of semver, calver/ },
      'no image': { spec: { select: web.select }, told: /spec.image/ },
      'a word that is none': { spec: { ...web, pin: 'always' }, told: /spec.pin/ },
      'a field that is none': { spec: { ...web, interval: '5m' }, told: /unknown field "spec.interval"/ },
    };
    for (const [name, { spec, told }] of Object.entries(wrong))
      it(`refuses ${name}`, async () => {
        const input = JSON.stringify(policy(spec));
        const args = ['create', '--dry-run=server', '--validate=strict', '-f', '-'];
        await assert.rejects(kubernetes.kubectl(args, { input }), told);
      });

    it('adds nothing to what Git says, and tells how a policy stands', async () => {
      await kubernetes.apply([policy(web)]);
      const status = { state: 'Waiting', current: '1.4.2', latest: '1.5.0', reason: '1.5.0 is younger than 24h' };
      const args = ['patch', 'imagepolicies.tallyman.dev', 'web', '-n', 'tallyman', '--subresource=status'];
      await kubernetes.kubectl([...args, '--type=merge', '-p', JSON.stringify({ status })]);
      const get = ['get', 'imagepolicies.tallyman.dev', 'web', '-n', 'tallyman'];
      assert.deepEqual(JSON.parse(await kubernetes.kubectl([...get, '-o', 'json'])).spec, web);
      const [head = '', line = ''] = (await kubernetes.kubectl(get)).split('\n');
      assert.deepEqual(head.trim().split(/\s+/), ['NAME', 'IMAGE', 'CURRENT', 'LATEST', 'STATE', 'AGE']);
      assert.deepEqual(line.split(/\s+/).slice(0, 5), ['web', 'ghcr.io/acme/web', '1.4.2', '1.5.0', 'Waiting']);
    });
  });

  it('its configuration is valid', () => {
    const parsed = parseConfig(readFileSync('deploy/config.yaml', 'utf8'), 'deploy/config.yaml');
    assert.deepEqual('problems' in parsed ? parsed.problems : [], []);
  });

  it('allows the Secrets that its configuration names', async () => {
    const text = readFileSync('deploy/config.yaml', 'utf8');
    const named = [...text.matchAll(/name: (tallyman-[a-z]+)/g)].map(([, name]) => name);
    const roles = (await render('deploy/overlays/embedded')).filter(({ kind }) => kind === 'Role') as unknown as {
      rules: { resources: string[]; resourceNames?: string[] }[];
    }[];
    const rules = roles.flatMap((role) => role.rules).filter(({ resources }) => resources.includes('secrets'));
    assert.deepEqual(named.sort(), rules.flatMap((rule) => rule.resourceNames ?? []).sort());
  });

  it('gives a reason for each of its rules', () => {
    for (const file of ['deploy/base/role.yaml', 'deploy/base/cluster-role.yaml']) {
      const lines = readFileSync(file, 'utf8').split('\n');
      // A reason may stand for the rules that follow each other.
      for (const [index, line] of lines.entries())
        if (line.startsWith('  - apiGroups:')) {
          const before = lines.slice(0, index).findLast((one) => /^ {2}#|^rules:/.test(one)) ?? '';
          assert.match(before, /^ {2}# .{20,}/, `${file}:${index + 1}`);
        }
    }
  });

  it('its dashboard asks for metrics that there are', () => {
    const text = readFileSync('deploy/monitoring/dashboard.json', 'utf8');
    const asked = [...text.matchAll(/\b(tallyman_[a-z_]+?)(?:_bucket)?\b/g)].map(([, name]) => name ?? '');
    const known = Object.keys(metricTable);
    assert.deepEqual(
      [...new Set(asked)].filter((name) => !known.includes(name)),
      [],
    );
    const unseen = known.filter((name) => !asked.includes(name));
    assert.deepEqual(unseen, ['tallyman_build_info', 'tallyman_scrape_errors_total'], 'the others have a panel');
  });
});
