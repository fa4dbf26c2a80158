/** Messages that other programs encrypted to keys which are there with their private halves: PGP 10, GnuPG 1 to 2.3, RFC 9580, the post-quantum examples. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, test } from 'node:test'
import { latin1 } from '../../src/base/bytes.ts'
import { unarmored } from '../../src/protection/openpgp/armor.ts'
import { readTransferableKeys } from '../../src/protection/openpgp/certificate/transferable.ts'
import type { DecryptionKey } from '../../src/protection/openpgp/encryption/carrier.ts'
import { openWhole } from '../../src/protection/openpgp/encryption/open-container.ts'
import type { OpenedEnvelope } from '../../src/protection/opened-envelope.ts'
import { PACKET, readPackets } from '../../src/protection/openpgp/packets/packet.ts'

const CORPORA = join(import.meta.dirname, '../../../shared/corpora')
const skip = existsSync(CORPORA) ? false : 'no corpora'

const CONTAINERS: readonly number[] = [PACKET.SEIPD, PACKET.AEAD, PACKET.SED]

function keysIn(file: string, password?: string): DecryptionKey[] {
  const read = readTransferableKeys(readFileSync(file), password)
  assert(read.ok, read.ok ? '' : read.error)
  return read.value.flatMap(({ certificate, subkeys }) =>
    certificate.components.flatMap(({ packet }) => {
      const own = subkeys.find(({ fingerprint }) => fingerprint === packet.fingerprint)
      return own === undefined ? [] : [{ packet, handles: own.handles, certificate: certificate.fingerprint }]
    }),
  )
}

function open(file: string, keys: readonly DecryptionKey[]): OpenedEnvelope {
  const packets = readPackets(unarmored(readFileSync(file)))
  const at = packets.findIndex(({ type }) => CONTAINERS.includes(type))
  return openWhole(packets.slice(0, at), packets[at] ?? assert.fail(), { keys })
}

/** The text, where it is not compressed. */
function literalIn(packets: Uint8Array): string | undefined {
  const literal = readPackets(packets).find(({ type }) => type === PACKET.LITERAL)
  return literal && latin1(literal.body.subarray(2 + (literal.body[1] ?? 0) + 4))
}

describe('messages that name their key and their content', { skip }, () => {
  const folder = join(CORPORA, 'rpgp/tests/openpgp-interop/testcases/messages')
  /** Their key is in no folder of ours. */
  const KEYLESS = /^camellia/

  const ALGORITHMS: Readonly<Record<string, string>> = {
    'gnupg-v1-4-11-001': 'des-ede3-cfb',
    'gnupg-v1-4-11-005': 'blowfish-cfb',
    'gnupg-v1-4-11-006': 'cast5-cfb',
    'pgp-10-0-006': 'cast5-cfb',
    'pgp-10-0-007': 'idea-cfb',
  }
  for (const file of skip === false ? globSync(join(folder, '*.json')) : []) {
    const name = basename(file, '.json')
    const { decryptKey, passphrase, textcontent } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>
    if (decryptKey === undefined || KEYLESS.test(name)) continue
    test(name, () => {
      const opened = open(join(folder, `${name}.asc`), keysIn(join(folder, decryptKey), passphrase))
      assert(opened.kind === 'decrypted', JSON.stringify(opened))
      assert(opened.authenticated)
      if (name in ALGORITHMS) assert.deepEqual([opened.algorithm, opened.weak], [ALGORITHMS[name], true])
      const text = literalIn(opened.content)
      if (text !== undefined) assert.equal(text.replaceAll('\r', ''), textcontent?.replaceAll('\r', ''))
    })
  }
})

const RFC9580 = 'rnp/src/tests/data/RFC9580'
const PQ = 'openpgp-pqc/test-vectors'

const EXAMPLES: readonly [algorithm: string, message: string, key: string, text: string][] = [
  ['aes-128-ocb', `${RFC9580}/A.8.5-v6pkesk-v2seipd`, `${RFC9580}/A.4.transferable-seckey-v6.asc`, 'Hello, world!'],
  ['aes-256-ocb', `${PQ}/v6-mldsa-65-sample-message.asc`, `${PQ}/v6-mldsa-65-sample-sk.asc`, 'Testing\n'],
  ['aes-256-ocb', `${PQ}/v6-mldsa-87-sample-message.asc`, `${PQ}/v6-mldsa-87-sample-sk.asc`, 'Testing\n'],
  ['aes-256-ocb', `${PQ}/v6-slhdsa-128s-sample-message.asc`, `${PQ}/v6-slhdsa-128s-sample-sk.asc`, 'Testing\n'],
  ['aes-256-ocb', `${PQ}/v6-eddsa-sample-message.asc`, `${PQ}/v6-eddsa-sample-sk.asc`, 'Testing\n'],
  ['aes-256-cfb', `${PQ}/v4-eddsa-sample-message-v1.asc`, `${PQ}/v4-eddsa-sample-sk.asc`, 'Testing\n'],
  ['aes-256-ocb', `${PQ}/v4-eddsa-sample-message-v2.asc`, `${PQ}/v4-eddsa-sample-sk.asc`, 'Testing\n'],
]

describe('the examples of RFC 9580 and of the post-quantum draft', { skip }, () => {
  for (const [algorithm, message, key, text] of EXAMPLES)
    test(basename(message), () => {
      const opened = open(join(CORPORA, message), keysIn(join(CORPORA, key)))
      assert(opened.kind === 'decrypted', JSON.stringify(opened))
      assert.deepEqual([opened.algorithm, opened.authenticated, opened.weak], [algorithm, true, undefined])
      assert.equal(literalIn(opened.content), text)
    })
})

const GO_CRYPTO = 'go-crypto/openpgp/test_data'
const GOPENPGP = 'gopenpgp/crypto/testdata'

describe('the packet of GnuPG 2.3 opens; what has nothing that shows a change does not', { skip }, () => {
  test('OCB of GnuPG 2.3', () => {
    const keys = keysIn(join(CORPORA, GOPENPGP, 'gpg2.3-aead-test-key.asc'), 'test')
    const opened = open(join(CORPORA, GOPENPGP, 'gpg2.3-aead-pgp-message.pgp'), keys)
    assert.equal(opened.kind === 'decrypted' && opened.algorithm, 'aes-256-ocb')
  })
  test('EAX of the old draft', () => {
    const keys = keysIn(join(CORPORA, GO_CRYPTO, 'aead-ocb-asym-key.asc'))
    const opened = open(join(CORPORA, GO_CRYPTO, 'aead-ocb-asym-message.asc'), keys)
    assert.equal(opened.kind === 'decrypted' && opened.algorithm, 'aes-256-eax')
  })
  const unproven: readonly [message: string, key: string, password?: string][] = [
    [`${GO_CRYPTO}/sym-message-without-mdc.asc`, `${GO_CRYPTO}/aead-ocb-asym-key.asc`],
    [`${GOPENPGP}/sed_message`, `${GOPENPGP}/sed_key`, 'testpassword'],
  ]
  for (const [message, key, password] of unproven)
    test(basename(message), () => {
      const opened = open(join(CORPORA, message), keysIn(join(CORPORA, key), password))
      assert.match(opened.kind === 'broken' ? opened.why : opened.kind, /nothing that would show a change/)
    })
})
