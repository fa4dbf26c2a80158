/** Every pair of signature and encryption that mail is written with, and every cipher, at the size of most mails. */
import { randomBytes } from 'node:crypto'
import type { EncryptionChoice } from '../src/protection/standard.ts'
import { type IdentityKind, smimeIdentity } from '../test/support/smime-identity.ts'
import { rowsOf } from './cms.bench.ts'
import { cmsFloor } from './floor.ts'
import type { Effort, Row } from './row.ts'

const CONTENT_BYTES = 5_000
const PAIRS: readonly [signer: IdentityKind, reader: IdentityKind][] = [
  ['rsa-2048', 'rsa-2048'],
  ['rsa-3072', 'rsa-3072'],
  ['rsa-4096', 'rsa-4096'],
  ['p256', 'p256'],
  ['p384', 'p384'],
  ['p521', 'p521'],
  ['ed25519', 'x25519'],
  ['ed448', 'x448'],
  ['ml-dsa-65', 'ml-kem-768'],
]
const CIPHERS: readonly NonNullable<EncryptionChoice['cipher']>[] = [
  'aes-128-cbc',
  'aes-256-cbc',
  'aes-128-gcm',
  'aes-256-gcm',
  'chacha20-poly1305',
]
/** There are many cases. */
const SHARE = 0.4

export async function pairRows({ smoke, msPerOperation }: Effort): Promise<Row[]> {
  const content = Buffer.from(randomBytes(CONTENT_BYTES / 2).toString('hex'))
  const rows: Row[] = []
  for (const [signerKind, readerKind] of PAIRS)
    for (const cipher of smoke ? CIPHERS.slice(-1) : CIPHERS) {
      const pair = { signer: smimeIdentity(signerKind), reader: smimeIdentity(readerKind) }
      const choice = { cipher, keyTransport: readerKind.startsWith('rsa') ? 'rsa-oaep' : 'rsa-pkcs1' } as const
      const kinds = signerKind === readerKind ? signerKind : `${signerKind} + ${readerKind}`
      const name = `pair: WHAT, ${kinds}, ${cipher}`
      const floor = cmsFloor(pair, choice, content)
      rows.push(
        ...(await rowsOf(
          { size: '', name, pair, choice, content, floor },
          { smoke, msPerOperation: msPerOperation * SHARE },
        )),
      )
    }
  return rows
}
