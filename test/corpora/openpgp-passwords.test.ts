/** OpenPGP messages under a password, as others write them: the examples of RFC 9580, GnuPG, go-crypto. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { latin1 } from '../../src/base/bytes.ts'
import { unarmored } from '../../src/protection/openpgp/armor.ts'
import { openWhole } from '../../src/protection/openpgp/encryption/open-container.ts'
import { PACKET, readPackets } from '../../src/protection/openpgp/packets/packet.ts'

const CORPORA = join(import.meta.dirname, '../../../shared/corpora')
const skip = existsSync(CORPORA) ? false : 'no corpora'

const UNIT_TESTS = 'rpgp/tests/unit-tests'

/** A derivation by Argon2 with 2 GiB takes seconds: one is enough. */
const isSlow = (file: string): boolean => file.includes('argon2')

/** The content is in a file beside it. */
const MIXED = 'gopenpgp/crypto/testdata/message_mixedPasswordPublicExpected'

const MESSAGES: readonly [file: string, password: string, algorithm: string, content: RegExp | typeof MIXED][] = [
  [`${UNIT_TESTS}/aead/eax.msg`, 'password', 'aes-128-eax', /^Hello, world!$/],
  [`${UNIT_TESTS}/aead/ocb.msg`, 'password', 'aes-128-ocb', /^Hello, world!$/],
  [`${UNIT_TESTS}/aead/gcm.msg`, 'password', 'aes-128-gcm', /^Hello, world!$/],
  [`${UNIT_TESTS}/argon2/aes128.msg`, 'password', 'aes-128-cfb', /^Hello, world!$/],
  ['gopenpgp/crypto/testdata/message_mixedPasswordPublic', 'pinata', 'aes-256-cfb', MIXED],
]

describe('OpenPGP messages under a password', { skip }, () => {
  for (const [file, password, algorithm, content] of MESSAGES)
    test(file, () => {
      const packets = readPackets(unarmored(readFileSync(join(CORPORA, file)))).filter(
        ({ type }) => type !== PACKET.PADDING,
      )
      const [before, container] = [packets.slice(0, -1), packets.at(-1) ?? assert.fail()]
      const opened = openWhole(before, container, {
        keys: [],
        passwords: isSlow(file) ? [password] : ['not it', password],
      })
      assert(opened.kind === 'decrypted', JSON.stringify(opened))
      assert.deepEqual([opened.algorithm, opened.authenticated], [algorithm, true])
      const literal = literalIn(opened.content)
      if (typeof content === 'string') assert.equal(literal, latin1(readFileSync(join(CORPORA, content))))
      else assert.match(literal, content)
      if (isSlow(file)) return
      const closed = openWhole(before, container, { keys: [], passwords: ['not it'] })
      assert(closed.kind === 'no-key')
      assert.equal(closed.recipients.at(-1), 'whoever knows the password')
    })
})

/** Behind its format, name and time. */
function literalIn(packets: Uint8Array): string {
  const literal = readPackets(packets).find(({ type }) => type === PACKET.LITERAL)
  assert(literal !== undefined)
  return latin1(literal.body.subarray(2 + (literal.body[1] ?? 0) + 4))
}
