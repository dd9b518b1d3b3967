import { describe, expect, test } from 'vitest';
import { networkSecrets } from '../../src/config/network.js';
import { certificate } from '../support/certificate.js';
import { MINIMAL, REQUIRED, Sandbox } from './sandbox.js';

const withProxy = (value: string) => `${MINIMAL}  proxy: ${value}\n`;
const withCa = `${MINIMAL}  ca_file: certs/ca.pem\n`;

describe('a proxy', () => {
  test('that is set wins over the environment, and that over .env', () => {
    const env = { HTTPS_PROXY: 'http://env.example:1', NO_PROXY: 'here.example' };
    const box = new Sandbox();
    box.write('work/.env', 'HTTPS_PROXY=http://dotenv.example:2\nhttp_proxy=plain.example:3\n');
    const { network } = box.loadYaml(withProxy('https://set.example:4'), { env });
    expect(network.https).toMatchObject({ url: 'https://set.example:4/', isOfProcess: false });
    expect(network.https?.place).toBe('backend.proxy (config.yaml:5)');
    expect(network.http).toEqual(network.https);
    expect(network.noProxy).toBe('here.example');
    const without = box.loadYaml(MINIMAL, { env }).network;
    expect(without.https).toMatchObject({ url: 'http://env.example:1/', isOfProcess: true });
    expect(without.http).toEqual({
      url: 'http://plain.example:3/',
      place: 'http_proxy (.env:2)',
      isOfProcess: false,
    });
  });

  test('none means none, whatever the environment has', () => {
    const { network } = new Sandbox().loadYaml(withProxy('none'), { env: { ALL_PROXY: 'http://a:1' } });
    expect([network.https, network.http]).toEqual([undefined, undefined]);
  });

  test.each(['socks5://proxy.example:1080', 'http://', 'http://proxy.example/path', 'ftp://x', '"a b"'])(
    'that is invalid is a mistake where it is set, without what may be a password: %s',
    (value) => {
      const [mistake] = new Sandbox().mistakesIn(withProxy(value));
      expect(mistake).toMatchObject({
        key: 'backend.proxy',
        line: 5,
        expected: expect.stringContaining('none'),
      });
      const hidden = new Sandbox().mistakesIn(withProxy('socks5://u:s3cret@proxy.example'));
      expect(hidden[0]?.found).not.toContain('s3cret');
    },
  );

  test('from the environment that cannot be used is reported and ignored', () => {
    const env = { ...REQUIRED, ALL_PROXY: 'socks5://u:s3cret@p:1' };
    const { network, warnings } = new Sandbox().load({ env });
    expect(network.https).toBeUndefined();
    expect(warnings).toContainEqual(expect.stringMatching(/^ALL_PROXY \(environment\) is ignored/));
    expect(warnings.join()).not.toContain('s3cret');
  });

  test('has its password kept out of the log, in both its spellings', () => {
    const env = { ...REQUIRED, EDGE_BACKEND_PROXY: 'http://u:p%40ss-word@p:1' };
    expect(networkSecrets(new Sandbox().load({ env }).network)).toEqual(
      expect.arrayContaining(['p%40ss-word', 'p@ss-word']),
    );
  });
});

describe('a file of certificates', () => {
  test('is read, with comments between them', () => {
    const { cert } = certificate();
    const box = new Sandbox();
    box.write('work/certs/ca.pem', `one\n${cert}\r\ntwo\n${cert.replaceAll('\n', '\r\n')}`);
    const { network } = box.loadYaml(withCa);
    expect(network.ca).toBe(cert + cert);
  });

  test.each<[string, () => string | undefined, string]>([
    ['there is no such file', () => undefined, ''],
    ['there is no -----BEGIN CERTIFICATE----- in it', () => 'hello\n', ''],
    [
      'the certificate that begins there does not end',
      () => 'a\n\nb\n-----BEGIN CERTIFICATE-----\nAAAA\n',
      ':4',
    ],
    [
      'the certificate that begins there is damaged',
      () => 'x\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      ':2',
    ],
    ['begins a private key; only certificates belong there', () => `\n\n${certificate().key}`, ':3'],
  ])('that is unusable is a mistake that names the file and the line: %s', (why, text, line) => {
    const box = new Sandbox();
    const content = text();
    if (content !== undefined) box.write('work/certs/ca.pem', content);
    const [mistake] = box.mistakesIn(withCa);
    expect(mistake).toMatchObject({ key: 'backend.ca_file', line: 5, place: 'config.yaml:5' });
    expect(mistake?.found).toContain(`certs/ca.pem${line}`);
    expect(mistake?.found).toContain(why);
    expect(mistake?.found).not.toContain('MIG');
  });

  test('in DER form is reported with the command that converts it', () => {
    const box = new Sandbox();
    const der = Buffer.from(certificate().cert.replace(/-----.*-----|\s/g, ''), 'base64');
    box.write('work/certs/ca.pem', der);
    expect(box.mistakesIn(withCa)[0]?.found).toContain('openssl x509 -inform der');
  });
});
