/** Other people's mails, keys and vectors (../shared/corpora/README.md), where that folder exists. */
import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type SmimeKeyFile, readKeyFile } from '../../src/protection/smime/key-files/key-file.ts'
import { type PackedRing, packCertificate, packKey, packKnown } from '../../src/protection/jobs.ts'
import { readGpgsmHome } from './gpgsm-home.ts'
import { isSameKey } from '../../src/protection/key-object.ts'

export const CORPORA = join(import.meta.dirname, '../../../shared/corpora')

/** Key files, and the password where it is not empty. */
const KEYS: readonly [pattern: string, password?: string][] = [
  ['rfc9216/alice.p12', 'alice'],
  ['rfc9216/bob.p12', 'bob'],
  ['rfc9216/carlos.p12', 'carlos'],
  ['rfc9216/*root-certificate.crt.pem'],
  ['protected-headers-draft/bob.p12', 'bob'],
  ['protected-headers-draft/sample-ca.pem'],
  ['notmuch/test/smime/*.{crt,pem,p12}'],
  ['james-mail/server/mailet/integration-testing/src/main/resources/smime.p12', 'secret'],
  ['james-mail/server/mailet/integration-testing/src/main/resources/smime-test-resource-set/*.{crt,key}'],
  ['nss-smime/tests/smime/interop-openssl/*.p12', 'nss'],
  ['openssl-cms/test/smime-certs/sm{rsa,ec,root}*.pem'],
  ['rfc4134/rfc4134/*.cer'],
  ['rfc4134/rfc4134/Bob*.pri'],
]

const GPGSM_HOMES = ['kde-mimetreeparser/autotests/gnupg_home', 'kde-messagelib/messagecore/autotests/gnupg_home']

/** One reader with the keys of all, who believes all; SHA-1 and RSA with 1024 bits count. */
export function everybody(): PackedRing {
  const read = KEYS.flatMap(([pattern, password]) =>
    globSync(pattern, { cwd: CORPORA }).flatMap((file): SmimeKeyFile[] => {
      const content = readKeyFile(readFileSync(join(CORPORA, file)), password)
      return content.ok ? [content.value] : []
    }),
  )
  const homes = GPGSM_HOMES.map((folder) => readGpgsmHome(join(CORPORA, folder)))
  const certificates = [...read, ...homes].flatMap((each) => each.certificates)
  const anchors = certificates.filter((each) => each.isAuthority && each.selfIssued)
  const adopted = read
    .flatMap((each) => each.strayKeys)
    .flatMap((key) => {
      const certificate = certificates.find((each) => isSameKey(each.publicKey, createPublicKey(key)))
      return certificate === undefined ? [] : [{ key, certificate }]
    })
  const keys = [...[...read, ...homes].flatMap((each) => each.keys), ...adopted]
  assert.ok(keys.length > 15 && anchors.length > 4, `${keys.length} keys, ${anchors.length} anchors`)
  return {
    decryptionKeys: keys.map((pair) => packKey({ ...pair, chain: [] })),
    known: certificates.map((certificate) => packKnown({ certificate, trust: 'candidate' })),
    anchors: anchors.map(packCertificate),
    allowWeak: true,
  }
}
