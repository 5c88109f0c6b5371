// What PEM text holds: certificates and keys, and whether they belong together. Faults in words, never with content.
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import type { Fault } from '../faults.ts';

const BEGIN = '-----BEGIN CERTIFICATE-----';
const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** All certificates of a PEM bundle, in its order. Throws where there is none, or one can not be read. */
function certificatesIn(pem: Buffer): X509Certificate[] {
  const text = pem.toString('latin1');
  const blocks = text.match(CERTIFICATES) ?? [];
  const begun = text.split(BEGIN).length - 1;
  if (begun === 0) throw new Error('holds no certificate (allowed: PEM)');
  // A bundle that is cut off in the middle must not pass for a shorter one.
  if (blocks.length < begun) throw new Error('is not whole (allowed: PEM certificates)');
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new Error('holds a certificate that can not be read (allowed: PEM certificates)');
    }
  });
}

function privateKeyIn(pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new Error('holds no key that can be read (allowed: a PEM private key without a passphrase)');
  }
}

/** The earliest end of all certificates in a PEM bundle, in epoch milliseconds. Throws where there is none. */
export function expiresAtMs(pem: Buffer): number {
  return Math.min(...certificatesIn(pem).map(({ validTo }) => Date.parse(validTo)));
}

/** Whether the key belongs to the first certificate. Throws, in words for a fault, where either can not be read. */
export function matches(cert: Buffer, key: Buffer): boolean {
  const [first] = certificatesIn(cert);
  return first?.checkPrivateKey(privateKeyIn(key)) ?? false;
}

/** What is wrong with a certificate (and its chain) and its key, each under the name of the variable that tells its file. */
export function pairFaults<N extends string>(content: Record<N, Buffer>, cert: N, key: N): Fault[] {
  const faults = [
    ...faultsOf(cert, () => certificatesIn(content[cert])),
    ...faultsOf(key, () => privateKeyIn(content[key])),
  ];
  if (faults.length > 0 || matches(content[cert], content[key])) return faults;
  return [{ path: key, problem: `does not belong to the certificate of ${cert}` }];
}

/** The fault of a file that holds no bundle of certificates. */
export function bundleFaults<N extends string>(content: Record<N, Buffer>, name: N): Fault[] {
  return faultsOf(name, () => certificatesIn(content[name]));
}

function faultsOf(path: string, read: () => unknown): Fault[] {
  try {
    read();
    return [];
  } catch (error) {
    return [{ path, problem: error instanceof Error ? error.message : 'can not be read' }];
  }
}
