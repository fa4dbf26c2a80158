/** The private key of an S/MIME certificate as the vault keeps it: PKCS #8 (RFC 5958) in DER. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { type Result, fail, ok } from '../../base/result.ts'
import type { Certificate, OwnKey, SecretKeys } from '../standard.ts'
import { isSmimeCertificate } from './x509/certificate.ts'
import { isSameKey } from '../key-object.ts'

export function writeSecret({ certificate, key }: Pick<OwnKey, 'certificate' | 'key'>): Result<Uint8Array> {
  return isKeyOf(certificate, key) ? ok(key.export({ format: 'der', type: 'pkcs8' })) : noPair(certificate)
}

export function readSecret(certificate: Certificate, { buffer, byteOffset, length }: Uint8Array): Result<SecretKeys> {
  const key = createPrivateKey({ key: Buffer.from(buffer, byteOffset, length), format: 'der', type: 'pkcs8' })
  return isKeyOf(certificate, key) ? ok({ key }) : noPair(certificate)
}

const isKeyOf = (certificate: Certificate, key: KeyObject): boolean =>
  isSmimeCertificate(certificate) && key.type === 'private' && isSameKey(certificate.publicKey, createPublicKey(key))

const noPair = ({ fingerprint }: Certificate): Result<never> =>
  fail(`The private key does not belong to the certificate ${fingerprint}`)
