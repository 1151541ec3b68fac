import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatCommitUrl } from '../../src/forge/commit-url.ts';
import { findForge } from '../../src/forge/find-forge.ts';

describe('formatCommitUrl', () => {
  const rows: [string, Parameters<typeof findForge>[1], string | undefined][] = [
    ['https://github.com/acme/deploy.git', {}, 'https://github.com/acme/deploy/commit/3f2a'],
    ['git@github.com:acme/deploy.git', {}, 'https://github.com/acme/deploy/commit/3f2a'],
    ['https://bot:secret@github.com/acme/deploy', {}, 'https://github.com/acme/deploy/commit/3f2a'],
    [
      'https://git.example.com/acme/deploy.git',
      { kind: 'github', apiUrl: 'https://git.example.com/api/v3' },
      'https://git.example.com/acme/deploy/commit/3f2a',
    ],
    ['ssh://git@gitlab.com/acme/team/deploy.git', {}, 'https://gitlab.com/acme/team/deploy/-/commit/3f2a'],
    [
      'https://git.example.com/forge/acme/deploy.git',
      { kind: 'gitlab', apiUrl: 'https://git.example.com/forge/api/v4' },
      'https://git.example.com/forge/acme/deploy/-/commit/3f2a',
    ],
    ['https://codeberg.org/acme/deploy.git', {}, 'https://codeberg.org/acme/deploy/commit/3f2a'],
    [
      'http://git.example.com:3000/acme/deploy.git',
      { kind: 'gitea' },
      'http://git.example.com:3000/acme/deploy/commit/3f2a',
    ],
    [
      'https://git.example.com/acme/deploy.git',
      { kind: 'gitea', apiUrl: 'https://bot:secret@api.example.com/api/v1' },
      'https://api.example.com/acme/deploy/commit/3f2a',
    ],
    ['https://git.example.com/acme/deploy.git', { kind: 'gitea', apiUrl: 'https://api.example.com/v1' }, undefined],
    ['https://github.com/acme/%3Cb%3E.git', {}, 'https://github.com/acme/%3Cb%3E/commit/3f2a'],
  ];
  for (const [url, settings, wanted] of rows)
    it(`of ${url} as ${settings.kind ?? 'its host says'}`, () => {
      const place = findForge(url, settings);
      assert.ok(place);
      assert.equal(formatCommitUrl(place, '3f2a'), wanted);
    });
});
