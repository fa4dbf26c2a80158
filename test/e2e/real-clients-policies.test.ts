/** The same with other keys, other orders of the layers, and without header protection. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needsAll } from '../support/apt.ts'
import { curlTakes } from '../support/clients/fetchers.ts'
import { assertSameMail } from '../support/clients/same-mail.ts'
import { FAX, HTML, ISO_2022_JP, type Sample, UTF_8, head } from '../support/clients/samples.ts'
import { curlSends } from '../support/clients/senders.ts'
import { AZUMA, ESTO, SUZUKI, type World, makeWorld } from '../support/clients/three-providers.ts'

const CURL = needsAll({ curl: 'curl' })
const SAMPLES: readonly Sample[] = [ISO_2022_JP, UTF_8, HTML, FAX]

/** Sends, fetches, and returns both. */
async function exchange(
  world: World,
  from: string,
  to: string,
  message: Buffer,
): Promise<{ readonly sent: Buffer; readonly fetched: Buffer }> {
  await curlSends(world.terminal(from), { from, to: [to], message, way: 'starttls' })
  await world.stored(to)
  return { sent: message, fetched: await curlTakes(world.terminal(to)) }
}

async function allSamplesBothWays(world: World, from: string, to: string): Promise<void> {
  for (const sample of SAMPLES)
    for (const [writer, reader] of [
      [from, to],
      [to, from],
    ] as const) {
      const { sent, fetched } = await exchange(world, writer, reader, sample.message(writer, reader))
      assertSameMail(fetched, { sent })
    }
}

test('with P-256 keys', CURL, async () => {
  await using world = await makeWorld({ keys: { algorithm: 'ec-p256' } })
  const keys = await world.provider(AZUMA).cli(['key', 'list', AZUMA])
  assert.match(JSON.stringify(keys.find((key) => key['standard'] === 'smime')), /p-?256/i)
  await allSamplesBothWays(world, AZUMA, SUZUKI)
})

test('sign-encrypt to one domain, triple to another, both ways', CURL, async () => {
  const perDomain = {
    'abc.com': { layering: 'triple' },
    'nec.co.us': { layering: 'sign-encrypt' },
    'biglobe.ne.jp': { layering: 'triple', signatureForm: 'opaque' },
  }
  await using world = await makeWorld({ policy: { perDomain } })
  await allSamplesBothWays(world, AZUMA, SUZUKI)
  await allSamplesBothWays(world, AZUMA, ESTO)
})

/** The lines of the header that are fields of MIME, and the others; and the body. */
function sorted(message: Buffer): { mime: string[]; others: string[]; body: string } {
  const text = message.toString('latin1')
  const end = text.indexOf('\r\n\r\n')
  const fields = text.slice(0, end + 2).match(/[^\r\n]+\r\n(?:[ \t].*\r\n)*/g) ?? []
  const isMime = (field: string): boolean => /^(content-|mime-version:)/i.test(field)
  return { mime: fields.filter(isMime), others: fields.filter((field) => !isMime(field)), body: text.slice(end + 4) }
}

/**
 * Without header protection only the MIME fields travel inside; the reader's provider cannot know where between the others
 * they stood. What is left of "byte for byte": the body, each field, and the order of the fields of either kind.
 */
test('without header protection: the same up to the place of the MIME fields', CURL, async () => {
  await using world = await makeWorld({ policy: { headerProtection: false } })
  const scattered = `Content-Language: ja\r\nX-First: 1\r\nContent-Type: text/plain;\r\n\tcharset="us-ascii"\r\n${head(AZUMA, SUZUKI, '')}Content-Transfer-Encoding: 7bit\r\nX-Mid: 2\r\nMIME-Version: 1.0\r\nX-Last: 3\r\n\r\nbody\r\n`
  const plain = `${head(AZUMA, SUZUKI, 'Subject: neither MIME-Version nor Content-Type\r\n')}\r\nbody\r\n`
  const messages = [
    ...SAMPLES.map((sample) => sample.message(AZUMA, SUZUKI)),
    Buffer.from(scattered),
    Buffer.from(plain),
  ]
  for (const message of messages) {
    const { sent, fetched } = await exchange(world, AZUMA, SUZUKI, message)
    const before = sorted(sent)
    const got = sorted(fetched)
    assert.equal(got.body, before.body)
    assert.deepEqual(got.mime, before.mime)
    assert.deepEqual(got.others.slice(5), before.others) // five trace fields
  }
})
