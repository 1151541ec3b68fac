import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Update } from '../../src/edit/plan.ts';
import { TallymanError } from '../../src/error/tallyman-error.ts';
import { createOutcomeTeller } from '../../src/pipeline/apply-outcome.ts';
import { createAppliedWatch } from '../../src/pipeline/await-applied.ts';
import type { StatusEvent } from '../../src/pipeline/cluster-ports.ts';
import type { WholeReport } from '../../src/pipeline/commit-and-propose.ts';
import type { CommitInfo, RepoHistory, YamlRepo } from '../../src/pipeline/ports.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { readApplication } from '../../src/reconcile/read-application.ts';
import { readGitRepository, readHelmRelease, readKustomization } from '../../src/reconcile/read-flux.ts';
import { formatName, type ReconcilerObject } from '../../src/reconcile/reconciler-object.ts';
import {
  application,
  appSource,
  chartSpec,
  commitOf,
  gitRepository,
  helmRelease,
  kustomization,
  ready,
} from '../reconcile/reconciler-scene.ts';
import { handClock } from './fake-registry.ts';
import { recordingLog } from './recording-log.ts';
import { recordingMetrics } from './recording-metrics.ts';

const url = 'https://git.example/acme/deploy.git';
const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(commitOf) as [string, string, string, string];
const at = (commit: string) => `main@sha1:${commit}`;
const timeoutMs = 600_000;

interface Told {
  readonly told: string[];
  readonly lines: string[];
}

/** A branch in memory: commits in a row, each with the text of one file, which stands in all files that it changed. */
function fakeBranch(clock: { wallMs(): number }) {
  const commits: (CommitInfo & { text: string; file: string })[] = [];
  let fault: Error | undefined;
  const asked: string[] = [];
  const check = (what: string) => {
    asked.push(what);
    if (fault !== undefined) throw fault;
  };
  const author = { name: 'Ann', email: 'ann@example.com' };
  return {
    asked,
    commit(id: string, text: string, message = 'a person', file = 'apps/web.yaml') {
      const parents = commits[0] === undefined ? [] : [commits[0].id];
      commits.unshift({ id, parents, tree: '', message, author, whenMs: clock.wallMs(), text, file });
    },
    /** Merges the newest commit into the one before. */
    merge(id: string) {
      const [merged, base] = commits;
      assert.ok(merged !== undefined && base !== undefined);
      const parents = [base.id, merged.id];
      commits.unshift({ ...merged, id, parents, message: 'Merge', whenMs: clock.wallMs() });
    },
    fail(error: Error | undefined) {
      fault = error;
    },
    repo: {
      async fetch() {
        check('fetch');
        return { commit: commits[0]?.id ?? '', branch: 'main', files: [] };
      },
      async listCommits(from: string, { count }: { count: number }) {
        check('list');
        const start = commits.findIndex(({ id }) => id === from);
        return {
          commits: commits.slice(start, start + count),
          complete: start + count >= commits.length,
          cut: undefined,
        };
      },
      async findGoneFiles({ from, to }: { from: string; to: string }) {
        const commit = commits.find(({ id }) => id === from);
        assert.equal(commit?.parents[0], to);
        return new Map([[commit?.file ?? '', from]]);
      },
      findFiles: async (commit: string, paths: Iterable<string>) => new Map([...paths].map((path) => [path, commit])),
      readBlobs: async (oids: Iterable<string>) =>
        new Map([...oids].map((oid) => [oid, Buffer.from(commits.find(({ id }) => id === oid)?.text ?? '')])),
    } as unknown as YamlRepo & RepoHistory,
  };
}

/** The objects of a cluster, and what they were asked. */
function fakeReconcilers() {
  const objects = new Map<string, ReconcilerObject>();
  const asked: string[] = [];
  let listener = () => {};
  const cluster = {
    asked,
    isListed: true,
    fault: undefined as Error | undefined,
    /** What `fetch` sees and no watch told of. */
    unseen: new Map<string, ReconcilerObject>(),
    put(...changed: ReconcilerObject[]) {
      for (const object of changed) objects.set(formatName(object), object);
      listener();
    },
    drop(name: string) {
      objects.delete(name);
      listener();
    },
    port: {
      list: () => objects.values(),
      isKnown: () => cluster.isListed,
      async fetch(name: ReconcilerObject) {
        if (cluster.fault !== undefined) throw cluster.fault;
        return cluster.unseen.get(formatName(name)) ?? objects.get(formatName(name));
      },
      async request(name: ReconcilerObject) {
        asked.push(formatName(name));
        if (cluster.fault !== undefined) throw cluster.fault;
        return 'sent' as const;
      },
      onChange(next: () => void) {
        listener = next;
      },
    },
  };
  return cluster;
}

const place = { namespace: 'flux-system', name: 'deploy' };
const source = (commit: string, spec: object = {}) =>
  readGitRepository(
    gitRepository({ url, ref: { branch: 'main' }, ...spec }, { artifact: { revision: at(commit) } }),
    place,
  );
const apps = (status: object, spec: object = {}, name = 'apps') =>
  readKustomization(kustomization(spec, status), { namespace: 'flux-system', name });
/** The chart was last built at the commit. */
const release = (commit: string, reconcileStrategy: string) =>
  readHelmRelease(
    helmRelease(
      { chart: chartSpec({ reconcileStrategy }) },
      { lastAttemptedRevision: `1.0.0+${commit.slice(0, 12)}`, conditions: ready('True', 'UpgradeSucceeded') },
    ),
    { namespace: 'shop', name: 'web' },
  );
const shop = (status: object, spec: object = {}) =>
  readApplication(application({ source: appSource({ path: 'apps' }), ...spec }, status), {
    namespace: 'argocd',
    name: 'shop',
  });

/** As Flux writes policies: Events are told about that object. */
const web = { apiVersion: 'image.toolkit.fluxcd.io/v1', kind: 'ImagePolicy', namespace: 'shop', name: 'web' };
const update = (to: string, policy = 'shop/web'): Update => ({ policy, image: 'ghcr.io/acme/web', from: '1.0', to });

/** What a pass tells that committed these. */
function report(
  tip: string,
  made: readonly { commit: string; update: Update; file?: string }[] = [],
  mode?: Policy['mode'],
): WholeReport {
  return {
    snapshot: { commit: tip, branch: 'main', files: [] },
    commit: made.at(-1)?.commit,
    policies: [{ key: 'shop/web', object: web, mode }],
    commits: made.map((one) => ({
      commit: one.commit,
      group: undefined,
      updates: [one.update],
      edits: [{ file: one.file ?? 'apps/web.yaml', update: one.update }],
    })),
  } as unknown as WholeReport;
}

function open({ isAlone = false, isDefault = true }: { isAlone?: boolean; isDefault?: boolean | 'unknown' } = {}) {
  const clock = handClock();
  const branch = fakeBranch(clock);
  const reconcilers = fakeReconcilers();
  const metrics = recordingMetrics();
  const { log, lines } = recordingLog();
  const told: string[] = [];
  const events: StatusEvent[] = [];
  const problems: string[] = [];
  const tell = createOutcomeTeller({ log, metrics, events: { record: (more) => void events.push(...more) } });
  const watch = createAppliedWatch(
    [
      {
        subject: 'deploy',
        url,
        isDefault: isDefault === 'unknown' ? undefined : isDefault,
        named: [],
        repo: branch.repo,
      },
    ],
    {
      reconcilers: reconcilers.port,
      clock,
      timeoutMs,
      metrics,
      tell(outcome) {
        const { kind, awaited, objects } = outcome;
        told.push([kind, awaited.update.policy, awaited.update.to, ...objects.map(({ name }) => name)].join(' '));
        tell(outcome);
      },
      createTeller: () => (problem) => problem && problems.push(problem.code),
      isAlone,
    },
  );
  return { clock, branch, reconcilers, metrics, lines, told, events, problems, watch };
}

type Scene = ReturnType<typeof open> & {
  /** Lets what is under way come to rest, and time pass. */
  pass(ms?: number): Promise<void>;
  /** We commit the version, and the pass ends. */
  commit(id: string, version: string, parts?: { policy?: string; file?: string }): Promise<void>;
  /** Another replica leads from now on. */
  rest(): Promise<void>;
  /** This one leads again. */
  lead(): void;
} & Told;

async function settle(): Promise<void> {
  for (let turns = 0; turns < 40; turns += 1) await turn();
}

async function withWatch(
  test: (scene: Scene) => Promise<void>,
  options: Parameters<typeof open>[0] = {},
): Promise<void> {
  const scene = open(options);
  scene.branch.commit(a, 'web:1.0');
  let term = new AbortController();
  let running = scene.watch.run({ signal: term.signal });
  const rest = async () => {
    term.abort(new Error('done'));
    await running;
    scene.watch.leave?.();
  };
  const lead = () => {
    term = new AbortController();
    running = scene.watch.run({ signal: term.signal });
  };
  const pass = async (ms = 1000) => {
    await settle();
    for (let left = ms; left > 0; left -= 1000) {
      scene.clock.pass(Math.min(left, 1000));
      await settle();
    }
  };
  const commit = async (id: string, version: string, { policy, file }: { policy?: string; file?: string } = {}) => {
    scene.branch.commit(id, `web:${version}`);
    scene.watch.begin('deploy');
    scene.watch.end('deploy', {
      report: report(id, [{ commit: id, update: update(version, policy), ...(file !== undefined && { file }) }]),
    });
    await pass();
  };
  try {
    await test({ ...scene, pass, commit, rest, lead });
  } finally {
    await rest();
  }
}

describe('createAppliedWatch, with Flux', () => {
  it('asks the source, then who has not begun by itself, and tells once that the version is applied', () =>
    withWatch(async ({ reconcilers, commit, pass, told, lines, metrics }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      await commit(b, '1.1');
      assert.deepEqual(reconcilers.asked, ['GitRepository flux-system/deploy']);
      await pass(10_000);
      assert.equal(reconcilers.asked.length, 1);
      reconcilers.put(source(b));
      await pass(2000);
      assert.equal(reconcilers.asked.length, 1);
      await pass(3000);
      assert.deepEqual(reconcilers.asked.slice(1), ['Kustomization flux-system/apps']);
      reconcilers.put(apps({ lastAppliedRevision: at(b) }));
      await pass(30_000);
      reconcilers.put(apps({ lastAppliedRevision: at(b), conditions: ready('True', 'ReconciliationSucceeded') }));
      await pass(30_000);
      assert.deepEqual(told, ['applied shop/web 1.1 apps']);
      assert.match(
        lines.join('\n'),
        /info shop\/web: 1.1 is applied by Kustomization flux-system\/apps at bbbbbbbbbbbb, 1\d(\.\d)? s after the commit$/,
      );
      assert.equal(reconcilers.asked.length, 2);
      assert.deepEqual(metrics.told, [
        'tallyman_reconcile_requests_total GitRepository sent',
        'tallyman_reconcile_requests_total Kustomization sent',
        'tallyman_applies_total deploy applied',
      ]);
    }));

  it('does not ask who began by itself', () =>
    withWatch(async ({ reconcilers, commit, pass }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      await commit(b, '1.1');
      reconcilers.put(source(b), apps({ lastAttemptedRevision: at(b), conditions: ready('Unknown', 'Progressing') }));
      await pass(60_000);
      assert.deepEqual(reconcilers.asked, ['GitRepository flux-system/deploy']);
    }));

  it('asks once for several commits in short order', () =>
    withWatch(async ({ reconcilers, branch, watch, pass }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      branch.commit(b, 'web:1.1');
      branch.commit(c, 'web:1.1 api:2');
      watch.end('deploy', {
        report: report(a, [
          { commit: b, update: update('1.1') },
          { commit: c, update: update('2', 'shop/api') },
        ]),
      });
      await pass(3000);
      branch.commit(d, 'web:1.1 api:2 db:3');
      watch.end('deploy', { report: report(c, [{ commit: d, update: update('3', 'shop/db') }]) });
      await pass(30_000);
      assert.deepEqual(reconcilers.asked, ['GitRepository flux-system/deploy', 'GitRepository flux-system/deploy']);
    }));

  it('counts from the look that saw the tag', () =>
    withWatch(async ({ reconcilers, watch, commit, pass, lines, metrics, clock }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      watch.see('ghcr.io/acme/web');
      clock.pass(5000);
      await commit(b, '1.1');
      reconcilers.put(source(b), apps({ lastAppliedRevision: at(b) }));
      await pass();
      assert.match(lines.join('\n'), /applied by .* [67](\.\d)? s after its tag was seen/);
      assert.match(metrics.told.join('\n'), /tallyman_seen_to_applied_seconds deploy = [67]/);
    }));

  it('tells a failure once, and success after it', () =>
    withWatch(async ({ reconcilers, commit, pass, told, lines }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      await commit(b, '1.1');
      const failed = { lastAppliedRevision: at(a), lastAttemptedRevision: at(b) };
      for (const message of ['no such file', 'no such file', 'still not']) {
        reconcilers.put(source(b), apps({ ...failed, conditions: ready('False', 'BuildFailed', message) }));
        await pass(60_000);
      }
      assert.deepEqual(told, ['failed shop/web 1.1 apps']);
      assert.match(
        lines.join('\n'),
        /warn Cannot apply 1.1 of policy "shop\/web": Kustomization flux-system\/apps says of bbbbbbbbbbbb "BuildFailed: no such file", success was wanted/,
      );
      await pass(timeoutMs);
      reconcilers.put(apps({ lastAppliedRevision: at(b) }));
      await pass(6000);
      assert.deepEqual(told.slice(1), ['applied shop/web 1.1 apps']);
    }));

  it('tells once that nothing came in time, and what the object says; and success after that', () =>
    withWatch(async ({ reconcilers, commit, pass, told, lines }) => {
      reconcilers.put(
        source(a),
        apps({ lastAppliedRevision: at(a), conditions: ready('False', 'DependencyNotReady', 'infra') }),
      );
      await commit(b, '1.1');
      await pass(timeoutMs - 5000);
      assert.deepEqual(told, []);
      await pass(10_000);
      await pass(timeoutMs);
      assert.deepEqual(told, ['late shop/web 1.1 apps']);
      assert.match(
        lines.join('\n'),
        /warn Cannot see 1.1 of policy "shop\/web" applied: 600(\.\d)? s after the commit Kustomization flux-system\/apps says "DependencyNotReady: infra"/,
      );
      reconcilers.put(apps({ lastAppliedRevision: at(b) }));
      await pass(6000);
      assert.deepEqual(told.slice(1), ['applied shop/web 1.1 apps']);
    }));

  it('looks more seldom after what has failed, and is there at once for a new commit', () =>
    withWatch(async ({ reconcilers, branch, watch, commit, pass, told }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      await commit(b, '1.1');
      reconcilers.put(apps({ lastAttemptedRevision: at(b), conditions: ready('False', 'BuildFailed') }));
      await pass();
      reconcilers.put(source(b));
      await pass();
      branch.commit(c, 'web:1.2');
      watch.end('deploy', { report: report(b, [{ commit: c, update: update('1.2') }]) });
      reconcilers.put(apps({ lastAppliedRevision: at(c) }));
      await pass(0);
      assert.deepEqual(told, ['failed shop/web 1.1 apps', 'superseded shop/web 1.1', 'applied shop/web 1.2 apps']);
    }));

  it('forgets after a day', () =>
    withWatch(async ({ reconcilers, commit, pass, told, clock }) => {
      reconcilers.put(source(a), apps({}));
      await commit(b, '1.1');
      await pass(timeoutMs + 5000);
      clock.pass(24 * 3_600_000);
      await pass();
      reconcilers.put(apps({ lastAppliedRevision: at(b) }));
      await pass();
      assert.deepEqual(told, ['late shop/web 1.1 apps']);
    }));

  it('looks once more before it tells that nothing came', () =>
    withWatch(async ({ reconcilers, commit, pass, told }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      await commit(b, '1.1');
      reconcilers.unseen.set('Kustomization flux-system/apps', apps({ lastAppliedRevision: at(b) }));
      await pass(timeoutMs + 5000);
      assert.deepEqual(told, ['applied shop/web 1.1 apps']);
    }));

  it('tells nothing while the cluster cannot be asked', () =>
    withWatch(async ({ reconcilers, commit, pass, told, problems }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      reconcilers.fault = new TallymanError('ClusterUnavailable', 'Cannot GET: it is away, an answer was wanted');
      await commit(b, '1.1');
      await pass(timeoutMs + 120_000);
      assert.deepEqual(told, []);
      assert.deepEqual([...new Set(problems)], ['ClusterUnavailable']);
      reconcilers.fault = undefined;
      reconcilers.put(apps({ lastAppliedRevision: at(b) }));
      await pass();
      assert.deepEqual(told, ['applied shop/web 1.1 apps']);
    }));

  it('asks again where the request could not be sent', () =>
    withWatch(async ({ reconcilers, commit, pass, metrics }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      reconcilers.fault = new TallymanError('ClusterUnavailable', 'Cannot PATCH: it is away, an answer was wanted');
      await commit(b, '1.1');
      await pass(20_000);
      reconcilers.fault = undefined;
      await pass(30_000);
      const { asked } = reconcilers;
      assert.ok(asked.length > 2 && asked.length < 8, String(asked.length));
      assert.equal(metrics.told.at(-1), 'tallyman_reconcile_requests_total GitRepository sent');
      await pass(60_000);
      assert.equal(reconcilers.asked.length, asked.length);
    }));

  it('waits for those alone whose folder has the file', () =>
    withWatch(async ({ reconcilers, commit, pass, told }) => {
      reconcilers.put(source(a), apps({}, { path: 'apps' }), apps({}, { path: 'infra' }, 'infra'));
      await commit(b, '1.1');
      reconcilers.put(source(b), apps({ lastAppliedRevision: at(b) }, { path: 'apps' }));
      await pass();
      assert.deepEqual(told, ['applied shop/web 1.1 apps']);
    }));

  it('waits for all where no folder has the file', () =>
    withWatch(async ({ reconcilers, commit, pass, told }) => {
      reconcilers.put(source(a), apps({}, { path: 'apps' }), apps({}, { path: 'infra' }, 'infra'));
      await commit(b, '1.1', { file: 'base/web.yaml' });
      reconcilers.put(source(b), apps({ lastAppliedRevision: at(b) }, { path: 'apps' }));
      await pass();
      assert.deepEqual(told, []);
      reconcilers.put(apps({ lastAppliedRevision: at(b) }, { path: 'infra' }, 'infra'));
      await pass();
      assert.deepEqual(told, ['applied shop/web 1.1 apps infra']);
    }));

  it('does not wait for what is suspended, nor asks it, and says so', () =>
    withWatch(async ({ reconcilers, commit, pass, told, lines }) => {
      reconcilers.put(source(a), apps({}, { suspend: true }));
      await commit(b, '1.1');
      await pass(timeoutMs + 60_000);
      assert.deepEqual(reconcilers.asked, ['GitRepository flux-system/deploy']);
      assert.deepEqual(told, ['unknown shop/web 1.1']);
      assert.match(lines.join('\n'), /debug .*Kustomization flux-system\/apps is not waited for: it is suspended/);
    }));

  it('waits for a chart that is built for each commit', () =>
    withWatch(async ({ reconcilers, commit, pass, told }) => {
      reconcilers.put(source(a), release(a, 'Revision'));
      await commit(b, '1.1', { file: 'charts/web/values.yaml' });
      reconcilers.put(source(b));
      await pass(timeoutMs - 60_000);
      assert.deepEqual(reconcilers.asked, ['GitRepository flux-system/deploy', 'HelmRelease shop/web']);
      reconcilers.put(release(b, 'Revision'));
      await pass();
      assert.deepEqual(told, ['applied shop/web 1.1 web']);
    }));

  it('neither waits for ever for a chart that is built for a new version of it alone, nor takes it for a failure', () =>
    withWatch(async ({ reconcilers, commit, pass, told, lines }) => {
      reconcilers.put(source(a), release(a, 'ChartVersion'));
      await commit(b, '1.1', { file: 'charts/web/values.yaml' });
      reconcilers.put(source(b));
      await pass(timeoutMs + 60_000);
      assert.deepEqual(told, ['unknown shop/web 1.1']);
      assert.match(lines.join('\n'), /debug .*HelmRelease shop\/web is not waited for: its chart is built anew/);
      assert.deepEqual(reconcilers.asked, ['GitRepository flux-system/deploy']);
    }));

  it('does not wait where nothing applies the repository', () =>
    withWatch(async ({ reconcilers, commit, pass, told }) => {
      reconcilers.put(readGitRepository(gitRepository({ url: 'https://git.example/other' }), place), apps({}));
      await commit(b, '1.1');
      await pass(timeoutMs + 60_000);
      assert.deepEqual([reconcilers.asked, told], [[], []]);
    }));

  it('waits until it is known whether something applies it', () =>
    withWatch(async ({ reconcilers, commit, pass, told }) => {
      reconcilers.isListed = false;
      await commit(b, '1.1');
      await pass(60_000);
      reconcilers.isListed = true;
      reconcilers.put(source(b), apps({ lastAppliedRevision: at(b) }));
      await pass();
      assert.deepEqual(told, ['applied shop/web 1.1 apps']);
    }));

  it('what applied it goes away', () =>
    withWatch(async ({ reconcilers, commit, pass, told }) => {
      reconcilers.put(source(a), apps({}));
      await commit(b, '1.1');
      reconcilers.drop('Kustomization flux-system/apps');
      await pass(timeoutMs + 60_000);
      assert.deepEqual(told, []);
    }));
});

describe('createAppliedWatch, as Events', () => {
  it('tells of each failure and of success once, about the object of the policy', () =>
    withWatch(async ({ reconcilers, commit, pass, events }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      await commit(b, '1.1');
      reconcilers.put(apps({ lastAttemptedRevision: at(b), conditions: ready('False', 'BuildFailed', 'no') }));
      await pass(60_000);
      reconcilers.put(apps({ lastAppliedRevision: at(b) }));
      await pass(6000);
      assert.deepEqual(
        events.map(({ reason, type, about, repeats, id }) => ({ reason, type, about, repeats, id })),
        [
          {
            reason: 'ImageApplyFailed',
            type: 'Warning',
            about: web,
            repeats: false,
            id: JSON.stringify([b, 'shop/web', '1.1', 'failed']),
          },
          {
            reason: 'ImageApplied',
            type: 'Normal',
            about: web,
            repeats: false,
            id: JSON.stringify([b, 'shop/web', '1.1', 'applied']),
          },
        ],
      );
      assert.match(
        events[0]?.note ?? '',
        /"BuildFailed: no", success was wanted\. Look at the object named.* \(deploy\)$/,
      );
      assert.match(
        events[1]?.note ?? '',
        /is applied by Kustomization flux-system\/apps at bbbbbbbbbbbb, .* s after the commit \(deploy\)$/,
      );
    }));

  it('tells nothing of what is superseded', () =>
    withWatch(async ({ reconcilers, commit, pass, events }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      await commit(b, '1.1');
      await commit(c, '1.2');
      reconcilers.put(source(c), apps({ lastAppliedRevision: at(c) }));
      await pass();
      assert.deepEqual(
        events.map(({ id }) => id),
        [JSON.stringify([c, 'shop/web', '1.2', 'applied'])],
      );
    }));

  it('a policy that is not known by then is called as its key says', () =>
    withWatch(async ({ reconcilers, commit, pass, events }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      await commit(b, '1.1', { policy: 'shop/api' });
      reconcilers.put(source(b), apps({ lastAppliedRevision: at(b) }));
      await pass();
      const about = { apiVersion: 'tallyman.dev/v1alpha1', kind: 'ImagePolicy', namespace: 'shop', name: 'api' };
      assert.deepEqual(events[0]?.about, about);
    }));
});

describe('createAppliedWatch, where the branch goes on', () => {
  it("a person's commit that has the version still applies it too", () =>
    withWatch(async ({ reconcilers, branch, watch, commit, pass, told, lines }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      await commit(b, '1.1');
      branch.commit(c, 'web:1.1 # ours');
      watch.end('deploy', { report: report(c) });
      reconcilers.put(source(c), apps({ lastAppliedRevision: at(c) }));
      await pass();
      assert.deepEqual(told, ['applied shop/web 1.1 apps']);
      assert.match(lines.join('\n'), /applied by Kustomization flux-system\/apps at cccccccccccc/);
    }));

  it('it is found without a pass', () =>
    withWatch(async ({ reconcilers, branch, commit, pass, told }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      await commit(b, '1.1');
      branch.commit(c, 'web:1.1 # ours');
      reconcilers.put(source(c), apps({ lastAppliedRevision: at(c) }));
      await pass();
      assert.deepEqual(told, ['applied shop/web 1.1 apps']);
    }));

  it('a commit that is of another branch is looked for once', () =>
    withWatch(async ({ reconcilers, branch, commit, pass, told }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      await commit(b, '1.1');
      for (let count = 0; count < 5; count += 1) {
        reconcilers.put(source(d), apps({ lastAppliedRevision: at(d) }));
        await pass(30_000);
      }
      assert.equal(branch.asked.filter((what) => what === 'fetch').length, 1);
      assert.deepEqual(told, []);
    }));

  for (const text of ['web:1.0', 'web:1.10', 'web:v1.1', 'web:1.1-rc', 'web:2.1.1'])
    it(`a version is not told to be applied where a person has ${text} there`, () =>
      withWatch(async ({ reconcilers, branch, watch, commit, pass, told }) => {
        reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
        await commit(b, '1.1');
        branch.commit(c, text);
        watch.end('deploy', { report: report(c) });
        reconcilers.put(source(c), apps({ lastAppliedRevision: at(c) }));
        await pass();
        assert.deepEqual(told, ['superseded shop/web 1.1']);
      }));

  it('a version that the next one replaced is not told to be applied', () =>
    withWatch(async ({ reconcilers, commit, pass, told }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      await commit(b, '1.1');
      await commit(c, '1.10');
      reconcilers.put(source(c), apps({ lastAppliedRevision: at(c) }));
      await pass();
      assert.deepEqual(told, ['superseded shop/web 1.1', 'applied shop/web 1.10 apps']);
    }));

  it('versions that are applied one after the other are told both', () =>
    withWatch(async ({ reconcilers, commit, pass, told }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      await commit(b, '1.1');
      await commit(c, '1.2');
      reconcilers.put(source(b), apps({ lastAppliedRevision: at(b) }));
      await pass();
      assert.deepEqual(told, ['applied shop/web 1.1 apps']);
      reconcilers.put(source(c), apps({ lastAppliedRevision: at(c) }));
      await pass();
      assert.deepEqual(told.slice(1), ['applied shop/web 1.2 apps']);
    }));

  it('versions of two policies in two commits are told both by the later one', () =>
    withWatch(async ({ reconcilers, branch, watch, commit, pass, told }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      await commit(b, '1.1');
      branch.commit(c, 'web:1.1 api:2');
      watch.end('deploy', { report: report(b, [{ commit: c, update: update('2', 'shop/api') }]) });
      await pass();
      reconcilers.put(source(c), apps({ lastAppliedRevision: at(c) }));
      await pass();
      assert.deepEqual(told, ['applied shop/web 1.1 apps', 'applied shop/api 2 apps']);
    }));

  it('a Yaml repo that cannot be read is a problem, and no answer', () =>
    withWatch(async ({ reconcilers, branch, commit, pass, told, problems }) => {
      reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
      branch.fail(new TallymanError('RepoUnavailable', 'Cannot fetch: it is away, an answer was wanted'));
      await commit(b, '1.1');
      assert.deepEqual([...new Set(problems)], ['RepoUnavailable']);
      branch.fail(undefined);
      reconcilers.put(source(b), apps({ lastAppliedRevision: at(b) }));
      await pass(10_000);
      assert.deepEqual(told, ['applied shop/web 1.1 apps']);
    }));
});

describe('createAppliedWatch, with Argo CD', () => {
  const compared = (status: string, revision: string) => ({ sync: { status, revision } });

  it('has it refreshed once, and waits until it is synced', () =>
    withWatch(async ({ reconcilers, commit, pass, told }) => {
      reconcilers.put(shop(compared('Synced', a)));
      await commit(b, '1.1');
      await pass(30_000);
      assert.deepEqual(reconcilers.asked, ['Application argocd/shop']);
      reconcilers.put(shop(compared('OutOfSync', b)));
      await pass();
      reconcilers.put(shop(compared('Synced', b)));
      await pass();
      assert.deepEqual(told, ['applied shop/web 1.1 shop']);
    }));

  it('does not take it for a failure where people sync, and tells it if they do', () =>
    withWatch(async ({ reconcilers, commit, pass, told }) => {
      const byHand = { syncPolicy: {} };
      reconcilers.put(shop(compared('Synced', a), byHand));
      await commit(b, '1.1');
      assert.deepEqual(reconcilers.asked, ['Application argocd/shop']);
      reconcilers.put(shop(compared('Synced', b), byHand));
      await pass();
      await commit(c, '1.2');
      await pass(timeoutMs + 60_000);
      assert.deepEqual(told, ['applied shop/web 1.1 shop', 'unknown shop/web 1.2']);
    }));

  it('does not take it for a failure where HEAD may be another branch', () =>
    withWatch(
      async ({ reconcilers, commit, pass, told }) => {
        const ofHead = { source: appSource({ path: 'apps', targetRevision: 'HEAD' }) };
        reconcilers.put(shop(compared('Synced', a), ofHead));
        await commit(b, '1.1');
        await pass(timeoutMs + 60_000);
        assert.deepEqual(told, ['unknown shop/web 1.1']);
      },
      { isDefault: 'unknown' },
    ));

  it('both reconcilers side by side are waited for', () =>
    withWatch(async ({ reconcilers, commit, pass, told }) => {
      reconcilers.put(source(a), apps({}), shop(compared('Synced', a)));
      await commit(b, '1.1');
      reconcilers.put(source(b), apps({ lastAppliedRevision: at(b) }));
      await pass();
      assert.deepEqual(told, []);
      reconcilers.put(shop(compared('Synced', b)));
      await pass();
      assert.deepEqual(told, ['applied shop/web 1.1 apps shop']);
    }));
});

describe('createAppliedWatch, after a restart', () => {
  const message = 'shop/web: 1.0 → 1.1\n\nTallyman-Update: shop/web ghcr.io/acme/web 1.0 -> 1.1\n';
  const begin = (scene: Scene) => {
    scene.branch.commit(b, 'web:1.1', message);
    scene.watch.end('deploy', { report: report(b) });
  };

  it('waits for what was committed shortly before', () =>
    withWatch(
      async (scene) => {
        scene.reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
        begin(scene);
        await scene.pass();
        scene.reconcilers.put(source(b), apps({ lastAppliedRevision: at(b) }));
        await scene.pass();
        assert.deepEqual(scene.told, ['applied shop/web 1.1 apps']);
      },
      { isAlone: true },
    ));

  it('waits for none but those that apply the files', () =>
    withWatch(
      async (scene) => {
        const infra = apps({ conditions: ready('False', 'DependencyNotReady') }, { path: './infra' }, 'infra');
        scene.reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }), infra);
        begin(scene);
        await scene.pass();
        scene.reconcilers.put(source(b), apps({ lastAppliedRevision: at(a) }));
        await scene.pass(10_000);
        assert.deepEqual(scene.reconcilers.asked, [
          'GitRepository flux-system/deploy',
          'Kustomization flux-system/apps',
        ]);
        scene.reconcilers.put(apps({ lastAppliedRevision: at(b) }));
        await scene.pass(timeoutMs + 10_000);
        assert.deepEqual(scene.told, ['applied shop/web 1.1 apps']);
      },
      { isAlone: true },
    ));

  it('passes over what a squash names and did not write', () =>
    withWatch(
      async (scene) => {
        scene.reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
        scene.branch.commit(b, 'web:1.2', `${message}${message.replaceAll('1.1', '1.2')}`);
        scene.watch.end('deploy', { report: report(b) });
        await scene.pass();
        scene.reconcilers.put(source(b), apps({ lastAppliedRevision: at(b) }));
        await scene.pass();
        assert.deepEqual(scene.told, ['applied shop/web 1.2 apps']);
      },
      { isAlone: true },
    ));

  it('waits for what another replica committed between two terms, and forgets what it waited for itself', () =>
    withWatch(
      async (scene) => {
        scene.reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
        await scene.commit(b, '1.1');
        await scene.rest();
        scene.reconcilers.put(source(b), apps({ lastAppliedRevision: at(b) }));
        scene.branch.commit(c, 'web:1.2', message.replaceAll('1.1', '1.2'));
        scene.lead();
        await scene.pass();
        assert.deepEqual(scene.told, [], 'before a pass saw the branch');
        scene.watch.end('deploy', { report: report(c) });
        await scene.pass();
        scene.reconcilers.put(source(c), apps({ lastAppliedRevision: at(c) }));
        await scene.pass();
        assert.deepEqual(scene.told, ['applied shop/web 1.2 apps']);
      },
      { isAlone: true },
    ));

  const rows: [string, (scene: Scene) => void, boolean][] = [
    ['what is applied already', ({ reconcilers }) => reconcilers.put(apps({ lastAppliedRevision: at(b) })), true],
    [
      'what failed already',
      ({ reconcilers }) =>
        reconcilers.put(apps({ lastAttemptedRevision: at(b), conditions: ready('False', 'BuildFailed') })),
      true,
    ],
    ['what is older than the wait', ({ clock }) => clock.pass(timeoutMs + 1000), true],
    ['what another worker waits for', () => {}, false],
  ];
  for (const [name, prepare, isAlone] of rows)
    it(`tells nothing of ${name}`, () =>
      withWatch(
        async (scene) => {
          scene.branch.commit(b, 'web:1.1', message);
          scene.reconcilers.put(source(b), apps({ lastAppliedRevision: at(a) }));
          prepare(scene);
          scene.watch.end('deploy', { report: report(b) });
          await scene.pass(isAlone ? 5000 : timeoutMs + 5000);
          assert.deepEqual(scene.told, []);
        },
        { isAlone },
      ));
});

describe('createAppliedWatch, where people merge what is proposed', () => {
  const message = 'shop/web: 1.0 → 1.1\n\nTallyman-Update: shop/web ghcr.io/acme/web 1.0 -> 1.1\n';
  const isAlone = true;
  const begin = async ({ reconcilers, watch, pass }: Scene, mode: Policy['mode'] = 'pull-request') => {
    reconcilers.put(source(a), apps({ lastAppliedRevision: at(a) }));
    watch.end('deploy', { report: report(a, [], mode) });
    await pass();
  };
  const ways: [string, string, (branch: Scene['branch']) => void][] = [
    ['a merge, however old what it brings is', c, (branch) => branch.merge(c)],
    ['a squash or a rebase', b, () => {}],
  ];
  for (const [way, tip, merge] of ways)
    it(`asks for it and tells it, by ${way}`, () =>
      withWatch(
        async (scene) => {
          await begin(scene);
          const { reconcilers, branch, clock, watch, pass, told } = scene;
          branch.commit(b, 'web:1.1', message);
          clock.pass(2 * timeoutMs);
          merge(branch);
          watch.end('deploy', { report: report(tip, [], 'pull-request') });
          await pass();
          assert.deepEqual(reconcilers.asked, ['GitRepository flux-system/deploy']);
          reconcilers.put(source(tip), apps({ lastAppliedRevision: at(tip) }));
          await pass();
          watch.end('deploy', { report: report(tip, [], 'pull-request') });
          await pass(timeoutMs);
          assert.deepEqual(told, ['applied shop/web 1.1 apps']);
        },
        { isAlone },
      ));

  const others: [string, string, Policy['mode'], boolean][] = [
    ['of a policy that is not proposed', message, 'commit', isAlone],
    ['of a policy that is not here', message.replaceAll('shop/web', 'shop/api'), 'pull-request', isAlone],
    ['that several workers may all see', message, 'pull-request', false],
    ["of a person's own", 'Update web', 'pull-request', isAlone],
  ];
  for (const [what, text, mode, alone] of others)
    it(`tells nothing of a version ${what}`, () =>
      withWatch(
        async (scene) => {
          await begin(scene, mode);
          scene.branch.commit(b, 'web:1.1', text);
          scene.watch.end('deploy', { report: report(b, [], mode) });
          await scene.pass();
          scene.reconcilers.put(source(b), apps({ lastAppliedRevision: at(b) }));
          await scene.pass();
          assert.deepEqual([scene.told, scene.reconcilers.asked], [[], []]);
        },
        { isAlone: alone },
      ));

  it('asks for the newest of what was merged and what was committed', () =>
    withWatch(
      async (scene) => {
        await begin(scene);
        const { reconcilers, branch, watch, pass } = scene;
        await scene.commit(b, '1.0 api:2', { policy: 'shop/api' });
        branch.commit(c, 'web:1.1 api:2', message);
        reconcilers.put(source(b));
        watch.end('deploy', { report: report(c, [], 'pull-request') });
        await pass(10_000);
        const twice = ['GitRepository flux-system/deploy', 'GitRepository flux-system/deploy'];
        assert.deepEqual(reconcilers.asked, twice);
      },
      { isAlone },
    ));
});
