/** Signs requests to AWS: Signature Version 4. */
import { createHash, createHmac } from 'node:crypto';

/** An access key; temporary ones come with a session token. */
export interface AwsIdentity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

export interface UnsignedPost {
  /** Without a query. */
  readonly url: URL;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface SigningOptions {
  readonly identity: AwsIdentity;
  readonly region: string;
  /** `ecr` */
  readonly service: string;
  /** Milliseconds since 1970, UTC. */
  readonly nowMs: number;
}

/**
 * The headers to send, the signature apart, as it is not to be redirected.
 * Source: AWS IAM User Guide, "Create a signed AWS API request", for a POST without a query.
 */
export function signPost(
  { url, headers, body }: UnsignedPost,
  { identity, region, service, nowMs }: SigningOptions,
): { authorization: string; headers: Readonly<Record<string, string>> } {
  // 20150830T123600Z
  const date = new Date(nowMs).toISOString().replace(/\.\d+|[:-]/g, '');
  const token = identity.sessionToken === undefined ? {} : { 'x-amz-security-token': identity.sessionToken };
  const sent: Readonly<Record<string, string>> = { ...headers, 'x-amz-date': date, ...token };
  const lines = Object.entries({ ...sent, host: url.host })
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value]) => [name, value.trim().replace(/ +/g, ' ')] as const);
  const names = lines.map(([name]) => name).join(';');
  const canonical = ['POST', url.pathname, '', ...lines.map((line) => line.join(':')), '', names, sha256(body)];
  const scope = [date.slice(0, 8), region, service, 'aws4_request'];
  const text = ['AWS4-HMAC-SHA256', date, scope.join('/'), sha256(canonical.join('\n'))].join('\n');
  const key = scope.reduce<string | Buffer>((rest, part) => hmac(rest, part), `AWS4${identity.secretAccessKey}`);
  const credential = [identity.accessKeyId, ...scope].join('/');
  const signature = hmac(key, text).toString('hex');
  return {
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
    headers: sent,
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
