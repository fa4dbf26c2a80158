/** docs/algorithms-openpgp.md, made from the tables that the code runs by. */
import { GENERATED_NOTE, since, table } from '../describe-table.ts'
import { RSA_BITS_MAX } from '../key-object.ts'
import { AEADS, runsAead } from './algorithms/aeads.ts'
import { CIPHERS, type CipherRow, isWritten } from './algorithms/ciphers.ts'
import { CURVES } from './algorithms/curves.ts'
import { HASHES } from './algorithms/hashes.ts'
import { PUBLIC_KEY_ALGORITHMS, type PublicKeyRow } from './algorithms/public-keys.ts'
import { MODULUS_MIN_BITS } from './encryption/rsa.ts'

export function describeOpenpgpAlgorithms(): string {
  return (
    [
      '# Algorithms of OpenPGP',
      GENERATED_NOTE,
      '## Ciphers of the content',
      table(['cipher', 'number', 'key, bits', 'use', 'weak since'], CIPHERS.map(cipherCells)),
      'In CFB with a digest inside (SEIPD version 1), and where the recipients say that they read it in the modes below (SEIPD version 2). ' +
        'The packet of GnuPG 2.3 and LibrePGP (type 20) is read.',
      table(
        ['mode', 'number', 'over'],
        AEADS.map(({ name, id }) => [name, String(id), CIPHERS.filter(runsAead).map(nameOf).join(', ')]),
      ),
      '## Public keys',
      table(['algorithm', 'number', 'for', 'in keys of version', 'weak since'], PUBLIC_KEY_ALGORITHMS.map(keyCells)),
      `RSA keys have ${RSA_BITS_MAX} bits at most; under ${MODULUS_MIN_BITS} they are weak, as are those of Elgamal. The curves of ECDH and ECDSA: ` +
        `${CURVES.map(({ namedCurve, type }) => namedCurve ?? type).join(', ')}.`,
      '## Digests',
      table(
        ['digest', 'number', 'in signatures of version 6', 'weak since'],
        HASHES.map(({ name, id, saltBytes, weak }) => [
          name,
          String(id),
          saltBytes === undefined ? 'no' : 'yes',
          since(weak),
        ]),
      ),
    ].join('\n\n') + '\n'
  )
}

const nameOf = ({ name }: CipherRow): string => name

const cipherCells = (row: CipherRow): string[] => [
  row.name,
  String(row.id),
  String(row.keyBytes * 8),
  isWritten(row) ? 'read, write' : row.readOnly === undefined ? 'read' : `read: ${row.readOnly}`,
  since(row.weak),
]

const keyCells = ({ name, id, signs, encrypts, keyVersions, weak }: PublicKeyRow): string[] => [
  name,
  String(id),
  [...(signs === true ? ['signatures'] : []), ...(encrypts === true ? ['encryption'] : [])].join(', '),
  (keyVersions ?? [4, 6]).join(', '),
  since(weak),
]
