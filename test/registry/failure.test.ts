import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GuardFault, ProxyFault, translateFailure } from '../../src/registry/failure.ts';

const withCode = (code: string): Error => Object.assign(new Error('as the library says'), { code });
const about = { task: 'list the tags of "a.example/web"', host: 'a.example' };

describe('translateFailure', () => {
  const rows: [name: string, cause: unknown, code: string, found: RegExp, transient: boolean][] = [
    ['a refused connection', withCode('ECONNREFUSED'), 'RegistryUnavailable', /was refused \(a\.example, ECONN/, true],
    ['a name that does not resolve', withCode('ENOTFOUND'), 'RegistryUnavailable', /does not resolve/, false],
    ['a limit on the time', new DOMException('', 'TimeoutError'), 'RegistryUnavailable', /no connection came/, true],
    ['no TLS', withCode('ERR_SSL_WRONG_VERSION_NUMBER'), 'RegistryUnavailable', /speaks no TLS/, false],
    ['an unknown authority', withCode('SELF_SIGNED_CERT_IN_CHAIN'), 'RegistryUnavailable', /not trusted/, false],
    [
      'a missing client certificate',
      withCode('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'),
      'RegistryUnavailable',
      /refuses the TLS handshake, as where it wants another client certificate/,
      false,
    ],
    [
      'a client certificate of an unknown authority',
      withCode('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'),
      'RegistryUnavailable',
      /refuses the TLS handshake/,
      false,
    ],
    ['a handshake', withCode('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE'), 'RegistryUnavailable', /refuses the TLS/, false],
    ['damaged packing', withCode('Z_DATA_ERROR'), 'RegistryInvalid', /packed wrongly/, false],
    [
      'a name that leads inside',
      new GuardFault('auth.example', 'private'),
      'RegistryInvalid',
      /"auth\.example", where the registry leads to, has a private address/,
      false,
    ],
    [
      'a proxy that is overloaded',
      new ProxyFault('p:1', { status: 503 }),
      'RegistryUnavailable',
      /no way there \(503\)/,
      true,
    ],
    [
      'a proxy that says no',
      new ProxyFault('p:1', { status: 403 }),
      'RegistryUnavailable',
      /no way there \(403\)/,
      false,
    ],
    [
      'a proxy that wants a user',
      new ProxyFault('p:1', { status: 407 }),
      'RegistryUnavailable',
      /sign-in \(407\)/,
      false,
    ],
    [
      'a proxy that does not resolve',
      new ProxyFault('p:1', { cause: withCode('ENOTFOUND') }),
      'RegistryUnavailable',
      /the proxy is not reached, the host name does not resolve \(p:1, ENOTFOUND\)/,
      false,
    ],
  ];
  for (const [name, cause, code, found, transient] of rows) {
    it(`tells ${name}`, () => {
      const failure = translateFailure(cause, about);
      assert.equal(failure.error.code, code);
      assert.match(failure.error.message, found);
      assert.match(failure.error.message, /^Cannot list the tags of "a\.example\/web": .*, .* was wanted$/);
      assert.doesNotMatch(failure.error.message, /as the library says/);
      assert.equal(failure.transient, transient);
    });
  }
});
