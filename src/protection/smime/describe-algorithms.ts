/** docs/algorithms.md, made from the tables that the code runs by. */
import { GENERATED_NOTE, since, table } from '../describe-table.ts'
import { DIGESTS, digestByName } from './algorithms.ts'
import { CIPHERS, type CipherRow, isAuthenticated, isWritten } from './cms/ciphers.ts'
import { KEMS, KEM_DERIVATIONS } from './cms/kem.ts'
import { AGREEMENTS, SCHEMES } from './cms/key-agreement.ts'
import type { KeyDerivation } from './cms/key-derivation.ts'
import { KEY_WRAPS } from './cms/key-wrap.ts'
import { ECDSA_CURVES, SHORT_RSA_WEAK, SIGNATURES, type SignatureRow } from './signature-algorithms.ts'
import { RSA_BITS_MAX, RSA_MODULUS_MIN_BITS } from '../key-object.ts'

export function describeAlgorithms(): string {
  return (
    [
      '# Algorithms of S/MIME',
      GENERATED_NOTE,
      '## Ciphers of the content',
      table(['cipher', 'OID', 'key, bits', 'in', 'use', 'weak since'], CIPHERS.map(cipherCells)),
      'RSA PKCS #1 v1.5 and OAEP (any digest, mask and label are read; written with SHA-256) carry the content key to RSA keys of ' +
        `${RSA_MODULUS_MIN_BITS} bits and more; from shorter ones it is read, and weak.`,
      '## Key agreement (KeyAgreeRecipientInfo)',
      'Any key derivation is read with any curve.',
      table(
        ['key', 'written with'],
        AGREEMENTS.map(({ name, schemeOid }) => [name, derivationName(SCHEMES.get(schemeOid))]),
      ),
      table(
        ['scheme', 'key derivation'],
        [...SCHEMES].map(([oid, derivation]) => [oid, derivationName(derivation)]),
      ),
      '## Key encapsulation (KEMRecipientInfo)',
      table(
        ['key', 'OID', 'key wrap that is written'],
        KEMS.map(({ name, oid, wrapBytes }) => [name, oid, `aes-${wrapBytes * 8}-wrap`]),
      ),
      table(
        ['key derivation', 'OID'],
        [...KEM_DERIVATIONS].map(([oid, derivation]) => [derivationName(derivation), oid]),
      ),
      '## Key wraps',
      'In key agreement, key encapsulation and under shared keys. A password wraps with AES or 3DES in CBC (RFC 3211).',
      table(
        ['key wrap', 'OID', 'weak since'],
        KEY_WRAPS.map(({ name, oid, weak }) => [name, oid, since(weak)]),
      ),
      '## Signatures',
      'Of messages, certificates and revocation lists. Where the name says no digest, the SignerInfo or the parameters do.',
      table(['signature', 'OID', 'keys', 'parameters', 'use', 'weak since'], SIGNATURES.map(signatureCells)),
      `RSA keys have ${RSA_BITS_MAX} bits at most; under ${RSA_MODULUS_MIN_BITS} they are weak (${since(SHORT_RSA_WEAK)}).`,
      `ECDSA is done on ${ECDSA_CURVES.map(({ name }) => name).join(', ')}; a key of these signs with the digest that matches its ` +
        'length, or a longer one that `policy.digest` names. RSA keys sign with that digest, Ed25519 and ML-DSA beside SHA-512, ' +
        'Ed448 beside SHAKE256.',
      '## Digests',
      table(
        ['digest', 'OID', 'weak since'],
        DIGESTS.map(({ name, oid, weak }) => [name, oid, since(weak)]),
      ),
    ].join('\n\n') + '\n'
  )
}

const cipherCells = (row: CipherRow): string[] => [
  row.name,
  row.oid,
  String(row.keyBytes * 8),
  isAuthenticated(row) ? 'AuthEnvelopedData' : 'EnvelopedData',
  isWritten(row) ? 'read, write' : row.readOnly === undefined ? 'read' : `read: ${row.readOnly}`,
  since(row.weak),
]

const signatureCells = ({ scheme, digest, oid, keyTypes, parameters, signs, weak }: SignatureRow): string[] => [
  scheme === 'pure' ? keyTypes.join() : `${scheme}${digest === undefined ? '' : `-${digest}`}`,
  oid,
  keyTypes.join(', '),
  PARAMETERS[parameters],
  signs === true ? 'sign, verify' : 'verify',
  since(weak ?? (digest === undefined ? undefined : digestByName(digest).weak)),
]

const PARAMETERS: Readonly<Record<SignatureRow['parameters'], string>> = {
  absent: 'absent',
  'absent-or-null': 'absent, NULL',
  pss: 'any digests, any salt',
}

const derivationName = (derivation: KeyDerivation | undefined): string =>
  derivation === undefined ? '–' : `${derivation.kind === 'x963' ? 'X9.63' : 'HKDF'} with ${derivation.digest}`
