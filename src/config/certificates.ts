import { X509Certificate } from 'node:crypto';
import { describeError } from '../errors.js';
import { readTextFile } from './places.js';

/** The certificates of a file, or why it is unusable, with the line; `warnings` are for people. */
type Certificates =
  | { readonly kind: 'read'; readonly pem: string; readonly warnings: readonly string[] }
  | { readonly kind: 'unusable'; readonly why: string };

const BEGIN = /^-----BEGIN ([A-Z0-9 ]+)-----$/;

/**
 * Reads the certificates of a PEM file (RFC 7468); text between them is a comment. Every one must be readable, because
 * a half-valid file would fail only when it is needed. Keys are never read or shown.
 */
export function readCertificates(path: string, now: number): Certificates {
  const unusable = (why: string): Certificates => ({ kind: 'unusable', why });
  let text: string | null;
  try {
    text = readTextFile(path);
  } catch (error) {
    return unusable(
      /UTF-8/.test(describeError(error))
        ? `${path} is not a text file; convert it: openssl x509 -inform der -in <file> -out ca.pem`
        : describeError(error).replace(/\.$/, ''),
    );
  }
  if (text === null) return unusable(`${path}: there is no such file`);
  const lines = text.split(/\r\n|\n|\r/).map((line) => line.trim());
  const found: string[] = [];
  const warnings: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const [, label] = BEGIN.exec(lines[at] ?? '') ?? [];
    if (label === undefined) continue;
    const place = `${path}:${at + 1}`;
    if (label !== 'CERTIFICATE')
      return unusable(`${place} begins a ${label.toLowerCase()}; only certificates belong there`);
    const end = lines.indexOf('-----END CERTIFICATE-----', at);
    if (end === -1) return unusable(`${place}: the certificate that begins there does not end`);
    const pem = `${lines.slice(at, end + 1).join('\n')}\n`;
    try {
      const { validTo, subject } = new X509Certificate(pem);
      if (Date.parse(validTo) < now)
        warnings.push(
          `${place}: the certificate of ${subject.replaceAll('\n', ', ')} expired at ${validTo}.`,
        );
    } catch {
      // OpenSSL's messages ("asn1 encoding routines::wrong tag") are not helpful.
      return unusable(`${place}: the certificate that begins there is damaged`);
    }
    found.push(pem);
    at = end;
  }
  if (found.length === 0) return unusable(`${path}: there is no -----BEGIN CERTIFICATE----- in it`);
  return { kind: 'read', pem: found.join(''), warnings };
}
