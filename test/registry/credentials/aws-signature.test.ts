import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signPost } from '../../../src/registry/credentials/aws-signature.ts';

/** AWS's Signature Version 4 test suite: the common values of its cases. */
const suite = {
  identity: {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    sessionToken: undefined,
  },
  region: 'us-east-1',
  service: 'service',
  nowMs: Date.parse('2015-08-30T12:36:00Z'),
};
const suiteToken =
  'AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==';

describe('signPost', () => {
  const rows: [name: string, headers: Record<string, string>, body: string, token: string | undefined, want: string][] =
    [
      [
        'post-vanilla',
        {},
        '',
        undefined,
        'SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
      ],
      [
        'post-x-www-form-urlencoded',
        { 'content-type': 'application/x-www-form-urlencoded' },
        'Param1=value1',
        undefined,
        'SignedHeaders=content-type;host;x-amz-date, Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
      ],
      [
        'post-sts-header-before',
        {},
        '',
        suiteToken,
        'SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead',
      ],
    ];
  for (const [name, headers, body, sessionToken, want] of rows) {
    it(`signs ${name} as AWS does`, () => {
      const url = new URL('https://example.amazonaws.com/');
      const identity = { ...suite.identity, sessionToken };
      const signed = signPost({ url, headers, body }, { ...suite, identity });
      const credential = 'Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request';
      assert.equal(signed.authorization, `AWS4-HMAC-SHA256 ${credential}, ${want}`);
      assert.equal(signed.headers['x-amz-date'], '20150830T123600Z');
      assert.equal(signed.headers['x-amz-security-token'], sessionToken);
      assert.equal(signed.headers.host, undefined);
    });
  }
});
