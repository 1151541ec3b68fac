import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findLoss, listSuspects } from '../../src/hold/find-lost.ts';
import { readPastPlaces } from '../../src/hold/read-past-places.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { findExplicitSites } from '../../src/target/find-explicit.ts';
import { findSites, mergeSites } from '../../src/target/find-sites.ts';
import { matchTargets } from '../../src/target/match-targets.ts';
import { testPolicy } from '../make-policy.ts';

const a = `sha256:${'aa'.repeat(32)}`;
const b = `sha256:${'bb'.repeat(32)}`;
const encode = (text: string) => new TextEncoder().encode(text);
const places = (...versions: readonly string[]) =>
  versions.map((version, index) => `k${index}: {image: "ghcr.io/acme/web${version}"}\n`).join('');
const list = (...versions: readonly string[]) =>
  `k:\n${versions.map((version) => `- image: ghcr.io/acme/web${version}\n`).join('')}`;

/** Whether `f.yaml`, which held one of `past` once, lost what was written. */
function loses(policy: Policy, update: { from?: string; to: string }, now: string, past: readonly string[]): boolean {
  const files = new Map([['f.yaml', encode(now)]]);
  const found = new Map([['f.yaml', findSites(encode(now), 'f.yaml')]]);
  const { targets } = matchTargets(mergeSites(findExplicitSites(files, [policy]).sites, found), [policy]);
  const written = { policy: policy.key, image: policy.image, from: update.from, to: update.to };
  const [suspect] = listSuspects(policy, [written], targets);
  if (suspect === undefined) return false;
  return past.some((text) => {
    const bytes = encode(text);
    const before = { file: 'f.yaml', bytes, sites: findSites(bytes, 'f.yaml') };
    const places = readPastPlaces(before, { policy, present: targets });
    return findLoss(suspect, { targets, past: places }) !== undefined;
  });
}

describe('a file lost a version', () => {
  interface Row {
    readonly update: { from?: string; to: string };
    readonly now: string;
    readonly past: readonly string[];
    readonly policy?: Partial<Policy>;
    readonly lost: boolean;
  }
  const up = { from: '1.4.2', to: '1.5.0' };
  const rows: Record<string, Row> = {
    'where it was set back': { update: up, now: places(':1.4.2'), past: [places(':1.5.0')], lost: true },
    'where it was set lower still': { update: up, now: places(':1.0.0'), past: [places(':1.5.0')], lost: true },
    'where it says latest now': { update: up, now: places(':latest'), past: [places(':1.5.0')], lost: true },
    'where it has none now': { update: up, now: `tag: "" # {"$imagepolicy": "shop:web:tag"}\n`, past: [`tag: 1.5.0 # {"$imagepolicy": "shop:web:tag"}\n`], lost: true },
    'not where it is there': { update: up, now: places(':1.5.0'), past: [places(':1.5.0')], lost: false },
    'not where a person went up': { update: up, now: places(':1.6.0'), past: [places(':1.5.0')], lost: false },
    'not where it never was': { update: up, now: places(':1.4.2'), past: [places(':1.4.2'), places(':1.4.1')], lost: false },
    'where one of two places was set back': { update: up, now: places(':1.5.0', ':1.4.2'), past: [places(':1.5.0', ':1.5.0')], lost: true },
    'not where a second place is new': { update: up, now: places(':1.5.0', ':1.4.0'), past: [places(':1.5.0')], lost: false },
    'where it was set back beside a new place that has it': { update: up, now: places(':1.4.2', ':1.5.0'), past: [places(':1.5.0')], lost: true },
    'where it was set back beside a new document that has it': { update: up, now: `${places(':1.4.2')}---\n${places(':1.5.0')}`, past: [places(':1.5.0')], lost: true },
    'not where items of a list moved': { update: up, now: list(':1.4.0', ':1.5.0'), past: [list(':1.5.0', ':1.4.0'), list(':1.5.0')], lost: false },
    'where one item of a list was set back': { update: up, now: list(':1.4.0', ':1.4.2'), past: [list(':1.5.0', ':1.4.0')], lost: true },
    'where the place moved within the file and was set back': { update: up, now: `k9: {image: "ghcr.io/acme/web:1.4.2"}\n`, past: [places(':1.5.0')], lost: true },
    'where it is written as Helm values now': { update: up, now: 'image: {repository: ghcr.io/acme/web, tag: 1.4.2}\n', past: ['image: ghcr.io/acme/web:1.5.0\n'], lost: true },
    'where it has a marker now': { update: up, now: `image: ghcr.io/acme/web:1.4.2 # {"$imagepolicy": "shop:web"}\n`, past: ['image: ghcr.io/acme/web:1.5.0\n'], lost: true },
    'not where a place went': { update: up, now: places(':1.5.0'), past: [places(':1.5.0', ':1.5.0')], lost: false },
    'where one went up and one back': { update: up, now: places(':1.6.0', ':1.4.2'), past: [places(':1.5.0', ':1.5.0')], lost: true },
    'where another tag has another digest': { update: { to: `1.5.0@${b}` }, now: places(`:1.4.2@${a}`), past: [places(`:1.5.0@${b}`)], lost: true },
    'not where only the digest was taken off': { update: { from: `1.4.2@${a}`, to: `1.5.0@${b}` }, now: places(':1.5.0'), past: [places(`:1.5.0@${b}`)], lost: false },
    'where nothing but a digest had been added': { update: { from: '1.5.0', to: `1.5.0@${b}` }, now: places(':1.5.0'), past: [places(`:1.5.0@${b}`)], lost: true },
    'where a tag that is followed was set back': { policy: { select: { kind: 'digest', tag: 'main' } }, update: { from: `main@${a}`, to: `main@${b}` }, now: places(`:main@${a}`), past: [places(`:main@${b}`)], lost: true },
    'where a downgrade was undone': { policy: { allowDowngrade: true }, update: { from: '1.5.0', to: '1.4.2' }, now: places(':1.5.0'), past: [places(':1.4.2')], lost: true },
    'in its numbers, not their spelling': { policy: { select: { kind: 'numerical', order: 'asc' } }, update: { from: '9', to: '10' }, now: places(':9'), past: [places(':10')], lost: true },
    'at a marker, whatever structure says': { update: up, now: `tag: 1.4.2 # {"$imagepolicy": "shop:web:tag"}\nimage: ghcr.io/acme/web:1.5.0\n`, past: [`tag: 1.5.0 # {"$imagepolicy": "shop:web:tag"}\n`], lost: true },
    'at a place that the policy names': { policy: { targets: [{ file: 'f.yaml', path: 'version', part: 'tag', source: { file: 'p.yaml' } }] }, update: up, now: 'version: 1.4.2\n', past: ['version: 1.5.0\n'], lost: true },
    'not in bytes that are no YAML': { update: up, now: places(':1.4.2'), past: ['{{ a }}: [', '\u0000'], lost: false },
  };
  for (const [name, { policy, update, now, past, lost }] of Object.entries(rows)) {
    it(name, () => assert.equal(loses(testPolicy(policy), update, now, past), lost));
  }
}); // biome-ignore format: rows
