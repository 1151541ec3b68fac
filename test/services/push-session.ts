/** Sends a push's requests to a registry with the sign-in that it asks for: none, Basic or a token. */

/** Where is pushed, and by whom. */
export interface PushTarget {
  /** The registry: `http://127.0.0.1:5000` */
  readonly url: string;
  readonly credential?: { readonly username: string; readonly password: string } | undefined;
  readonly repository: string;
}

/** One request of a push. */
export interface PushRequest {
  readonly method: string;
  readonly url: string;
  readonly body?: Buffer;
  readonly contentType?: string;
}

/** Sends a request; throws with the registry's answer where it refuses it. */
export type PushSend = (request: PushRequest) => Promise<Response>;

/** The sender of one push. It gets a token when it is asked to, and keeps it for the requests that follow. */
export function openPushSession(target: PushTarget): PushSend {
  let authorization = formatBasic(target);
  return async (request) => {
    let response = await sendOnce(request, authorization);
    const challenge = response.headers.get('www-authenticate') ?? '';
    if (response.status === 401 && /^bearer /i.test(challenge)) {
      await response.text();
      authorization = `Bearer ${await fetchToken(target, challenge)}`;
      response = await sendOnce(request, authorization);
    }
    const said = await response.text();
    if (!response.ok) throw new Error(`Cannot push: ${request.method} was answered ${response.status}: ${said}`);
    return response;
  };
}

function sendOnce(request: PushRequest, authorization: string | undefined): Promise<Response> {
  return fetch(request.url, {
    method: request.method,
    headers: {
      ...(authorization !== undefined && { authorization }),
      ...(request.contentType !== undefined && { 'content-type': request.contentType }),
    },
    ...(request.body && { body: new Uint8Array(request.body) }),
  });
}

/** Distribution token specification, "Requesting a Token". */
async function fetchToken(target: PushTarget, challenge: string): Promise<string> {
  const find = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? '';
  const url = new URL(find('realm'));
  url.searchParams.set('service', find('service'));
  url.searchParams.set('scope', `repository:${target.repository}:pull,push`);
  const authorization = formatBasic(target);
  const response = await fetch(url, authorization === undefined ? {} : { headers: { authorization } });
  const said = await response.text();
  if (!response.ok) throw new Error(`Cannot push: the token server answered ${response.status}: ${said}`);
  return (JSON.parse(said) as { token: string }).token;
}

function formatBasic({ credential }: PushTarget): string | undefined {
  if (credential === undefined) return undefined;
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`).toString('base64')}`;
}
