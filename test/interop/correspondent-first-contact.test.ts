/**
 * Two who know nothing of each other but where the other's authority is: the first mail goes out signed only, the answer
 * brings the correspondent's certificate, and from then on mail is encrypted. And the same programs on files, offline.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { needs } from '../support/apt.ts'
import { BODY, SUBJECT, TYPE_FIELDS, headerOf } from '../support/correspondent-cases.ts'
import { type KeyKind, openssl } from '../support/correspondent.ts'
import {
  type Correspondence,
  OUR_DOMAIN,
  ourAddress,
  peerAddress,
  startCorrespondence,
} from '../support/correspondence.ts'
import { runSealpost } from '../support/provider.ts'

const KINDS: readonly KeyKind[] = ['rsa', 'p256']
const PEER_DOMAIN = 'correspondent.example'

describe('a correspondent without Sealpost', needs('openssl', 'openssl'), () => {
  const stack = new AsyncDisposableStack()
  let correspondence: Correspondence
  before(async () => {
    correspondence = stack.use(await startCorrespondence([{ domain: PEER_DOMAIN, policy: {} }], { strangers: true }))
  })
  after(() => stack.disposeAsync())

  const fileNamed = async (name: string, content: Uint8Array): Promise<string> => {
    const file = join(correspondence.peer.folder, name)
    await writeFile(file, content)
    return file
  }

  test('gets the authority of our domain from "sealpost trust export", and of no other', async () => {
    const { provider, ourCaFile } = correspondence
    const text = await openssl(['x509', '-in', ourCaFile, '-noout', '-text'])
    assert.match(text.toString(), /CA:TRUE/)
    const pem = await runSealpost(['trust', 'export', OUR_DOMAIN.toUpperCase(), '--config', provider.configFile])
    assert.equal(pem, await readFile(ourCaFile, 'utf8'))
    assert.doesNotMatch(pem, /PRIVATE KEY/)
    for (const other of [PEER_DOMAIN, 'not a domain'])
      await assert.rejects(provider.cli(['trust', 'export', other]), {
        code: 1,
        message: /has no authority here; our domains are biglobe\.example/,
      })
  })

  for (const kind of KINDS)
    test(`first contact: signed, answered, encrypted (${kind} keys)`, async () => {
      const { provider, peer, ourCaFile } = correspondence
      const [our, their] = [ourAddress(kind), peerAddress(kind, PEER_DOMAIN)]
      const { certificateFile, keyFile } = peer.keys[kind]
      const submit = (): Promise<Buffer> =>
        correspondence.send(kind, their, `${headerOf(our, their, OUR_DOMAIN).fields}${TYPE_FIELDS}\r\n${BODY}`)

      const first = await fileNamed(`first-${kind}.eml`, await submit())
      const learned = join(peer.folder, `learned-${kind}.pem`)
      const opened = await openssl(['cms', '-verify', '-in', first, '-CAfile', ourCaFile, '-signer', learned])
      assert(opened.toString().endsWith(`\r\n\r\n${BODY}`))

      const content = Buffer.from(`${TYPE_FIELDS}\r\n${BODY}`)
      const signed = await openssl(['cms', '-sign', '-signer', certificateFile, '-inkey', keyFile], content)
      const sealed = await openssl(['cms', '-encrypt', '-aes-256-cbc', learned], signed)
      const { fields, id } = headerOf(their, our, PEER_DOMAIN)
      const answer = fields + sealed.toString().replaceAll(/\r?\n/g, '\r\n')
      assert.match(await correspondence.deliver(their, kind, Buffer.from(answer)), /^250 /)
      const fetched = (await correspondence.fetch(kind)).get(id) ?? ''
      assert.match(fetched, /^Authentication-Results: mail\.biglobe\.example; smime=pass/m)
      assert(fetched.endsWith(`\r\n\r\n${BODY}`))
      const keys = await provider.cli(['key', 'list', their])
      assert.deepEqual(
        keys.map(({ trust, source }) => [trust, source]),
        [['chained', 'harvested']],
      )

      const second = await fileNamed(`second-${kind}.eml`, await submit())
      assert(!(await readFile(second)).includes('Guten Tag'))
      const inner = await openssl(['cms', '-decrypt', '-in', second, '-recip', certificateFile, '-inkey', keyFile])
      const innerFile = await fileNamed(`inner-${kind}.eml`, inner)
      const read = await openssl(['cms', '-verify', '-in', innerFile, '-CAfile', ourCaFile])
      assert(read.toString().endsWith(`\r\n\r\n${BODY}`))
    })

  for (const kind of KINDS)
    test(`offline: openssl opens what "sealpost seal" prints (${kind} keys)`, async () => {
      const { provider, peer, ourCaFile } = correspondence
      const { certificateFile, keyFile } = peer.keys[kind]
      await provider.cli(['key', 'import', certificateFile])
      const [our, their] = [ourAddress(kind), peerAddress(kind, PEER_DOMAIN)]
      const draft = `${headerOf(our, their, OUR_DOMAIN).fields}${TYPE_FIELDS}\r\n${BODY}`
      const draftFile = await fileNamed(`draft-${kind}.eml`, Buffer.from(draft))
      const sealed = await runSealpost(['seal', draftFile, '--from', our, '--config', provider.configFile])
      const sealedFile = await fileNamed(`sealed-${kind}.eml`, Buffer.from(sealed))
      const inner = await openssl(['cms', '-decrypt', '-in', sealedFile, '-recip', certificateFile, '-inkey', keyFile])
      const innerFile = await fileNamed(`sealed-inner-${kind}.eml`, inner)
      const read = await openssl(['cms', '-verify', '-in', innerFile, '-CAfile', ourCaFile])
      assert(read.toString().endsWith(`\r\n\r\n${BODY}`))

      // and who has no server opens it with their own files
      const bundle = await pkcs12(correspondence, kind)
      const report = await openOffline([sealedFile, '--with', ourCaFile, bundle, '--plaintext'])
      assert.equal(report.outcome, 'accept')
      const { encrypted, signature, signer } = report.summary
      assert.deepEqual([encrypted, signature, signer], [true, 'valid', our])
      assert(report.plaintext?.endsWith(`\r\n\r\n${BODY}`))
    })

  for (const kind of KINDS)
    test(`offline: "sealpost open" reads mail between two who use openssl (${kind} keys)`, async () => {
      const { peer } = correspondence
      const { certificateFile, keyFile } = peer.keys[kind]
      const their = peerAddress(kind, PEER_DOMAIN)
      const content = Buffer.from(`${TYPE_FIELDS}\r\n${BODY}`)
      const sign = ['cms', '-sign', '-signer', certificateFile, '-inkey', keyFile]
      const envelope = ['-from', their, '-to', their, '-subject', SUBJECT]
      const sealed = await openssl(
        ['cms', '-encrypt', '-aes-256-cbc', ...envelope, certificateFile],
        await openssl(sign, content),
      )
      const file = await fileNamed(`theirs-${kind}.eml`, sealed)
      const bundle = await pkcs12(correspondence, kind)
      const report = await openOffline([file, '--with', peer.caFile, '--with', bundle, '--plaintext'])
      assert.deepEqual([report.outcome, report.summary.signature, report.summary.signer], ['accept', 'valid', their])
      assert(report.plaintext?.endsWith(`\r\n\r\n${BODY}`))
      const nobody = await openOffline([file, '--with', peer.caFile])
      assert.deepEqual(
        nobody.layers.map(({ verdict }) => verdict),
        ['no-key'],
      )
    })
})

interface OpenReport {
  readonly outcome: string
  readonly summary: { readonly encrypted: boolean; readonly signature: string; readonly signer: string | null }
  readonly layers: readonly { readonly verdict: string }[]
  readonly plaintext?: string
}

async function openOffline(args: readonly string[]): Promise<OpenReport> {
  return JSON.parse(await runSealpost(['open', ...args, '--json'])) as OpenReport
}

/** As openssl writes it today, under the empty password. */
async function pkcs12({ peer }: Correspondence, kind: KeyKind): Promise<string> {
  const { certificateFile, keyFile } = peer.keys[kind]
  const file = join(peer.folder, `${kind}.p12`)
  const files = ['-inkey', keyFile, '-in', certificateFile, '-out', file]
  await openssl(['pkcs12', '-export', ...files, '-passout', 'pass:'])
  return file
}
