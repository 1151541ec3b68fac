import { describe } from 'node:test';
import { actOut, behindToken, complain } from './act-out.ts';
import { makeTags } from './open-registry.ts';
import {
  basicOf,
  byLast,
  dockerList,
  hundreds,
  image,
  index,
  lexical,
  listPath,
  manifestPath,
  type Portrait,
  serve,
  signedIn,
  tokenFor,
  toPlay,
  wantsBasic,
} from './portraits.ts';

const portraits: Portrait[] = [
  {
    name: 'Harbor: a robot with a dollar, a relative link, a token without issued_at',
    host: 'harbor.example',
    credential: { username: 'robot$acme+reader', password: 'pa$$word' },
    registry: behindToken(
      {
        tokenPath: '/service/token',
        challenge: ({ origin }) =>
          `Bearer realm="${origin}/service/token",service="harbor-registry",scope="repository:acme/web:pull"`,
        token: tokenFor(basicOf('robot$acme+reader', 'pa$$word'), { token: 'abc', access_token: '', expires_in: 1800 }),
      },
      serve({ pages: lexical(hundreds, 100, byLast), manifest: dockerList }),
    ),
    tags: hundreds,
    digest: dockerList.digest,
    asked: signedIn('/service/token', 3),
  },
  {
    name: 'Forgejo: Bearer and Basic in one header, scope *',
    host: 'codeberg.org',
    credential: { username: 'robot', password: 'secret' },
    registry: behindToken(
      {
        tokenPath: '/v2/token',
        challenge: ({ origin }) =>
          `Bearer realm="${origin}/v2/token",service="container_registry",scope="*",Basic realm="Gitea Container Registry"`,
        token: tokenFor(basicOf('robot', 'secret'), { token: 'abc' }),
      },
      // Its last page has a link, too.
      serve({
        pages: ({ path, query }) => {
          const tags = hundreds.filter((tag) => tag > (query.get('last') ?? '')).slice(0, 100);
          return { json: { tags }, headers: tags.length > 0 ? { link: byLast(path, tags.at(-1) ?? '') } : {} };
        },
        manifest: index,
      }),
    ),
    tags: hundreds,
    digest: index.digest,
    asked: signedIn('/v2/token', 4),
  },
  {
    name: 'GitLab: JWT of another path, no issued_at',
    host: 'registry.gitlab.com',
    credential: { username: 'deploy', password: 'gldt-secret' },
    registry: behindToken(
      {
        tokenPath: '/jwt/auth',
        challenge: ({ origin }) =>
          `Bearer realm="${origin}/jwt/auth",service="container_registry",scope="repository:acme/web:pull"`,
        token: tokenFor(basicOf('deploy', 'gldt-secret'), { token: 'eyJhbGciOiJSUzI1NiJ9.e30.c2ln' }),
      },
      serve({ pages: lexical(hundreds, 100, byLast), manifest: index }),
    ),
    tags: hundreds,
    digest: index.digest,
    asked: signedIn('/jwt/auth', 3),
  },
  {
    name: 'zot: a password, a link without brackets, OCI types only',
    host: 'zot.example',
    credential: { username: 'robot', password: 'secret' },
    registry: wantsBasic(basicOf('robot', 'secret'), (call) => {
      const isOci = call.headers.accept?.includes('application/vnd.oci.image.index.v1+json') === true;
      if (call.path.includes('/manifests/') && !isOci) return complain(415, 'MANIFEST_INVALID');
      const bare = (path: string, last: string): string => `${path}?n=100&last=${last}; rel="next"`;
      return serve({ pages: lexical(hundreds, 100, bare), manifest: index })(call);
    }),
    tags: hundreds,
    digest: index.digest,
    asked: [`${listPath} -`, ...Array(3).fill(`${listPath} Basic`), `${manifestPath} Basic`],
  },
  {
    name: 'Artifactory: a virtual repository whose link lacks it, digests among the tags',
    host: 'acme.jfrog.io',
    credential: { username: 'robot', password: 'secret' },
    registry: wantsBasic(
      basicOf('robot', 'secret'),
      serve({
        pages: lexical(
          [...makeTags(120), `sha256:${'a'.repeat(64)}`].sort(),
          100,
          (_, last) => `</v2/tags/list?last=${last}&n=1000>; rel="next"`,
        ),
        manifest: dockerList,
      }),
    ),
    tags: makeTags(120),
    digest: dockerList.digest,
    asked: [`${listPath} -`, ...Array(2).fill(`${listPath} Basic`), `${manifestPath} Basic`],
  },
  {
    name: 'Nexus: no link at all, null among the tags',
    host: 'nexus.example',
    credential: { username: 'robot', password: 'secret' },
    registry: wantsBasic(
      basicOf('robot', 'secret'),
      serve({
        pages: ({ query }) => {
          const rest = makeTags(1500).filter((tag) => tag > (query.get('last') ?? ''));
          return { json: { tags: rest.length > 1000 ? rest.slice(0, 1000) : [null, ...rest] } };
        },
        manifest: image,
      }),
    ),
    tags: makeTags(1500),
    digest: image.digest,
    asked: [`${listPath} -`, ...Array(2).fill(`${listPath} Basic`), `${manifestPath} Basic`],
  },
];

describe('whole talks with registries that people run', () => actOut(portraits.map(toPlay)));
