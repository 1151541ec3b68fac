import { describe } from 'node:test';
import { actOut, behindToken, complain } from './act-out.ts';
import { makeTags } from './open-registry.ts';
import {
  anonymous,
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
    name: 'ECR: a 12 hour token as password, an OCI-Subject that means nothing',
    host: '123456789012.dkr.ecr.eu-west-1.amazonaws.com',
    credential: { username: 'AWS', password: 'token' },
    registry: wantsBasic(
      basicOf('AWS', 'token'),
      serve({
        pages: (call) =>
          Number(call.query.get('n')) > 1000 ? complain(405, 'UNSUPPORTED') : lexical(hundreds, 100, byLast)(call),
        manifest: image,
        headers: { 'oci-subject': image.digest },
      }),
    ),
    tags: hundreds,
    digest: image.digest,
    asked: [`${listPath} -`, ...Array(3).fill(`${listPath} Basic`), `${manifestPath} Basic`],
  },
  {
    name: 'ECR public: a token for everybody, and a link that must be followed',
    host: 'public.ecr.aws',
    registry: behindToken(
      {
        tokenPath: '/token/',
        challenge: ({ origin }) => `Bearer realm="${origin}/token/",service="public.ecr.aws",scope="aws"`,
        token: () => ({ json: { token: 'abc' } }),
      },
      serve({ pages: lexical(hundreds, 100, byLast), manifest: dockerList }),
    ),
    tags: hundreds,
    digest: dockerList.digest,
    asked: anonymous('/token/', 3),
  },
  {
    name: 'Artifact Registry: an access token as password, upload times in the list',
    host: 'europe-docker.pkg.dev',
    credential: { username: 'oauth2accesstoken', password: 'ya29.token' },
    registry: behindToken(
      {
        tokenPath: '/v2/token',
        challenge: ({ origin }) => `Bearer realm="${origin}/v2/token",service="europe-docker.pkg.dev"`,
        token: tokenFor(basicOf('oauth2accesstoken', 'ya29.token'), { token: 'abc', expires_in: 3600 }),
      },
      serve({
        pages: () => ({
          json: { child: [], manifest: { [image.digest]: { tag: ['1.0'], timeUploadedMs: '1' } }, tags: ['1.0'] },
        }),
        manifest: image,
      }),
    ),
    tags: ['1.0'],
    digest: image.digest,
    asked: signedIn('/v2/token', 1),
  },
  {
    name: 'ACR: a refresh token by POST, the list capped with a link',
    host: 'acme.azurecr.io',
    credential: { username: '00000000-0000-0000-0000-000000000000', identityToken: 'refresh' },
    registry: behindToken(
      {
        tokenPath: '/oauth2/token',
        challenge: ({ origin }) => `Bearer realm="${origin}/oauth2/token",service="acme.azurecr.io"`,
        token: ({ method, form }) =>
          method === 'POST' && form.get('refresh_token') === 'refresh'
            ? { json: { access_token: 'abc' } }
            : { status: 400 },
      },
      serve({
        pages: lexical(makeTags(1500), 1000, (path, last) => `<${path}?last=${last}&n=1000&orderby=>; rel="next"`),
        manifest: index,
      }),
    ),
    tags: makeTags(1500),
    digest: index.digest,
    asked: anonymous('/oauth2/token', 2).map((line) => line.replace('GET /oauth2', 'POST /oauth2')),
  },
  {
    name: 'GHCR: an access token as password, all pages of ascending tags',
    host: 'ghcr.io',
    credential: { username: 'robot', password: 'ghp_token' },
    registry: behindToken(
      {
        challenge: ({ origin }) => `Bearer realm="${origin}/token",service="ghcr.io",scope="repository:acme/web:pull"`,
        token: tokenFor(basicOf('robot', 'ghp_token'), { token: 'abc' }),
      },
      serve({
        pages: lexical(makeTags(2100), 1000, (path, last) => `<${path}?last=${last}&n=0>; rel="next"`),
        manifest: index,
      }),
    ),
    tags: makeTags(2100),
    digest: index.digest,
    asked: signedIn('/token', 3),
  },
  {
    name: 'GHCR: its own token as base64 in Bearer',
    host: 'ghcr.io',
    credential: { bearerToken: 'Z2hwX3Rva2Vu' },
    registry: (call) =>
      call.authorization === 'Bearer Z2hwX3Rva2Vu'
        ? serve({ pages: lexical(['1.0'], 1000, byLast), manifest: index })(call)
        : complain(401, 'UNAUTHORIZED'),
    tags: ['1.0'],
    digest: index.digest,
    asked: [`${listPath} Bearer`, `${manifestPath} Bearer`],
  },
  {
    name: 'Quay: a robot with a plus, a token without issued_at, opaque pages of 50',
    host: 'quay.io',
    credential: { username: 'acme+robot', password: 'secret' },
    registry: behindToken(
      {
        tokenPath: '/v2/auth',
        challenge: ({ origin }) =>
          `Bearer realm="${origin}/v2/auth",service="quay.io",scope="repository:acme/web:pull"`,
        token: tokenFor(basicOf('acme+robot', 'secret'), { token: 'abc' }),
      },
      serve({
        pages: ({ path, query }) => {
          const from = Number(query.get('next_page')?.replace('gAAA', '') ?? 0);
          const link = `<${path}?n=50&next_page=gAAA${from + 50}>; rel="next"`;
          return { json: { tags: hundreds.slice(from, from + 50) }, headers: from < 200 ? { link } : {} };
        },
        manifest: image,
      }),
    ),
    tags: hundreds,
    digest: image.digest,
    asked: signedIn('/v2/auth', 5),
  },
];

describe('whole talks with registries of clouds', () => actOut(portraits.map(toPlay)));
