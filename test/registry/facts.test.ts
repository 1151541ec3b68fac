/**
 * Every fact that is known of registries has a test named after its number: `facts-<topic>.test.ts`.
 *
 * Not acted out, with the reason:
 * - all: what other clients do, wherever a fact tells it, is theirs: only what follows for this client is acted out.
 * - 5: ten redirects of a token server: this client follows five, as `http.test.ts` shows for all requests.
 * - 10: that another client refreshes for `insufficient_scope` only; this one refreshes once for any 401.
 * - 12: Docker Hub's key `https://index.docker.io/v1/`, the files of Docker and Podman and their variables lead to no
 *   other requests: `credentials/docker-auth.test.ts` and `credentials/docker-config.test.ts` have them.
 * - 16: reconciling with a cache on disk: times are kept in memory only.
 * - 26: ages by annotation or by the configuration's `created`: no age is taken from the publisher.
 * - 27: an https registry that redirects a blob to http: `http.test.ts`, "never falls back to plain HTTP".
 * - 30: that signing in does not cure bursts is a matter of GHCR; what helps is acted out.
 * - 32: `?ns=` is not sent, as an endpoint is one registry's mirror; that lists lag behind cannot be seen from here.
 * - 2.6: the webhooks of Harbor, GitLab and Artifactory are no requests to a registry; the exchanges of ECR, Artifact
 *   Registry and ACR for their tokens are in `credentials/`; the times of Quay's and GHCR's own APIs are not asked for.
 * - 2.7: referrers are not read: nothing is verified yet.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { it } from 'node:test';

it('every fact is acted out somewhere', () => {
  const files = readdirSync(import.meta.dirname).filter((name) => /^facts-.*\.test\.ts$/.test(name));
  const texts = files.map((name) => readFileSync(new URL(name, import.meta.url), 'utf8')).join('\n');
  const told = new Set(
    [...texts.matchAll(/fact: '(\d+)'|[`'](\d+): /g)].map(([, play, title]) => Number(play ?? title)),
  );
  const wanted = Array.from({ length: 32 }, (_, index) => index + 1);
  assert.deepEqual(
    wanted.filter((fact) => !told.has(fact)),
    [],
  );
});
