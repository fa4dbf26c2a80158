/** Armor, packets and text signed in clear as others write them: all of it is read, or refused for a reason that is known. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { attempt } from '../../src/protection/malformed.ts'
import { isBinary, readArmor } from '../../src/protection/openpgp/armor.ts'
import { readCleartext } from '../../src/protection/openpgp/cleartext.ts'
import { decompress } from '../../src/protection/openpgp/compressed.ts'
import { PACKET, type Packet, readPackets } from '../../src/protection/openpgp/packets/packet.ts'
import { PacketStream } from '../../src/protection/openpgp/packets/packet-stream.ts'
import { CORPORA } from '../support/corpora.ts'

const FOLDERS = 'rpgp,rnp,go-crypto,gopenpgp,pgpainless,openpgp-interop,openpgp-pqc,autocrypt,gnupg'

/** What is refused, apart from inputs of fuzzers and what is no OpenPGP at all. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  'go-crypto/openpgp/test_data/sym-corrupted-message-invalid-sig-header.asc': /no packet begins/,
  'rnp/src/tests/data/test_key_validity/alice-sigs-malf.pgp': /too early/,
  'rnp/src/tests/data/test_messages/message.txt.armor-hdrs': /no packet begins/, // text in armor
  'rnp/src/tests/data/test_messages/message.txt.armor-wr-trail': /another line/,
  'rnp/src/tests/data/test_messages/message_mdc_8k_cut1.pgp': /too early/,
  'rnp/src/tests/data/test_messages/message_mdc_8k_cut22.pgp': /too early/,
  'rpgp/tests/unit-tests/signed_public_key_details_write_len_expect.asc': /reserved/, // random bytes
}
const NOT_OPENPGP = /test_fuzz|dearmor_fuzz|\.png$/

test('every file is read, or refused for a known reason', { skip: existsSync(CORPORA) ? false : 'no corpora' }, () => {
  const counts = { files: 0, armored: 0, packets: 0, decompressed: 0 }
  const refused: Record<string, string> = {}
  for (const file of globSync(`{${FOLDERS}}/**/*`, { cwd: CORPORA })) {
    if (!statSync(join(CORPORA, file)).isFile()) continue
    const bytes = readFileSync(join(CORPORA, file))
    const parts = isBinary(bytes) ? { ok: true as const, value: [{ bytes }] } : attempt(() => readArmor(bytes))
    counts.files++
    if (!parts.ok) refused[file] = parts.error
    for (const part of parts.ok ? parts.value : []) {
      counts.armored += isBinary(bytes) ? 0 : 1
      const packets = attempt(() => readPackets(part.bytes))
      assert.equal(inPieces(part.bytes), packets.ok ? packets.value.map(describe).join() : packets.error, file)
      if (!packets.ok) refused[file] = packets.error
      counts.packets += packets.ok ? packets.value.length : 0
      counts.decompressed += packets.ok ? packets.value.filter(isDecompressed).length : 0
    }
  }
  assert.deepEqual(counts, { files: 1177, armored: 609, packets: 4601, decompressed: 32 })
  const others = Object.keys(refused).filter((file) => !NOT_OPENPGP.test(file))
  assert.deepEqual(others.toSorted(), Object.keys(REFUSED))
  for (const file of others) assert.match(refused[file] ?? '', REFUSED[file] ?? /^$/)
})

const describe = ({ type, body }: Packet): string => `${type}:${body.length}`

function inPieces(bytes: Uint8Array): string {
  const found: { readonly type: number; bodyBytes: number }[] = []
  const reader = new PacketStream((type) => {
    const packet = { type, bodyBytes: 0 }
    found.push(packet)
    return { write: (chunk) => (packet.bodyBytes += chunk.length), end: () => {} }
  })
  const read = attempt(() => {
    for (let at = 0; at < bytes.length; at += 1009) reader.write(bytes.subarray(at, at + 1009))
    reader.end()
  })
  return read.ok ? found.map(({ type, bodyBytes }) => `${type}:${bodyBytes}`).join() : read.error
}

const isDecompressed = ({ type, body }: Packet): boolean =>
  type === PACKET.COMPRESSED && attempt(() => readPackets(decompress(body))).ok

test(
  'text signed in clear: forms that hide what was not signed are refused',
  { skip: existsSync(CORPORA) ? false : 'no corpora' },
  () => {
    const refused: Record<string, string> = {}
    let read = 0
    for (const file of globSync('{rpgp,rnp,go-crypto,gopenpgp,pgpainless,gnupg}/**/*', { cwd: CORPORA })) {
      if (NOT_OPENPGP.test(file) || !statSync(join(CORPORA, file)).isFile()) continue
      const found = attempt(() => readCleartext(readFileSync(join(CORPORA, file))))
      if (!found.ok) refused[file] = found.error
      else if (found.value !== undefined) read++
    }
    assert.equal(read, 21)
    assert.deepEqual(Object.keys(refused).toSorted(), [
      'rnp/src/tests/data/test_messages/message.txt.cleartext-signed-nonewline', // the text stands where headers stand
      'rpgp/tests/unit-tests/csf/gpg.fail-notdash',
    ])
    for (const error of Object.values(refused)) assert.match(error, /a header that is not Hash/)
  },
)
