/** Mail that a correspondent makes with a program, and what has become of it in our user's mailbox. */
import assert from 'node:assert/strict'
import { type Correspondence, eachOf, ourAddress } from './correspondence.ts'
import { BODY, type Case, LAYERS, SUBJECT, TYPE_FIELDS, headerOf, tampered } from './correspondent-cases.ts'
import type { KeyKind } from './correspondent.ts'
import { type PeerTool, protectWith } from './peer-tool.ts'

/** What a mail reader is told to write. */
export interface Draft {
  readonly from: KeyKind
  readonly to: KeyKind
  readonly subject: string
  /** With LF. */
  readonly body: string
  readonly sign: boolean
  readonly encrypt: boolean
}

export interface Delivered {
  readonly how: Case
  readonly from: string
  readonly reply: string
  /** As our user fetches it. */
  readonly fetched: string | undefined
  /** Our reply to the same mail with one byte changed. */
  readonly replyToTampered: string
}

/** The correspondent sends a mail for each case. */
export async function deliverAll(
  correspondence: Correspondence,
  tool: PeerTool,
  cases: readonly Case[],
): Promise<Delivered[]> {
  const sent = await eachOf(cases, async (how) => {
    const from = correspondence.addressOf(how.from)
    const header = headerOf(from, ourAddress(how.to), 'peer.example')
    const entity = await protectWith(tool, Buffer.from(`${TYPE_FIELDS}\r\n${BODY}`), how)
    const mail = Buffer.concat([Buffer.from(header.fields), entity])
    const replyToTampered = await correspondence.deliver(from, how.to, tampered(mail))
    return { how, from, id: header.id, mail, replyToTampered }
  })
  await Promise.all([correspondence.fetch('rsa'), correspondence.fetch('p256')])
  const replies = await eachOf(sent, ({ from, how, mail }) => correspondence.deliver(from, how.to, mail))
  const fetched = { rsa: await correspondence.fetch('rsa'), p256: await correspondence.fetch('p256') }
  return sent.map(({ how, from, id, replyToTampered }, index) => {
    const mailbox: ReadonlyMap<string, string> = fetched[how.to satisfies KeyKind]
    return { how, from, reply: replies[index] ?? '', fetched: mailbox.get(id), replyToTampered }
  })
}

/** The author's body and header, and a report that says how the mail was protected. */
export function checkDelivered({ how, from, reply, fetched, replyToTampered }: Delivered): void {
  assert.match(reply, /^250 /)
  assert(fetched !== undefined, 'the mail is not in the mailbox')
  const at = fetched.indexOf('\r\n\r\n')
  const header = fetched.slice(0, at).replaceAll(/\r\n[ \t]+/g, ' ')
  assert.equal(fetched.slice(at + 4), BODY)
  assert.match(header, new RegExp(`^Subject: ${SUBJECT}$`, 'm'))
  assert.match(header, /^Content-Type: text\/plain; charset=utf-8$/m)
  const layers = LAYERS[how.layering]
  if (layers.includes('signed')) {
    assert.match(header, /^Authentication-Results: mail\.biglobe\.example; smime=pass /m)
    assert(header.includes(`body.smime-identifier=${from}`), header)
    assert.match(header, /^X-Sealpost-Status: .*Signature valid/m)
    assert.match(replyToTampered, /^550 5\.7\.7 /)
  } else assert.match(header, /^Authentication-Results: mail\.biglobe\.example; smime=none$/m)
  const secrecy = layers.includes('encrypted') ? 'Encrypted on the way' : 'Not encrypted on the way'
  assert(header.includes(`X-Sealpost-Status: ${secrecy}`), header)
}

/** The same for one mail as a program with a mail reader's freedom of encoding sent it, and for the same with one byte changed. */
export async function checkReceived(correspondence: Correspondence, how: Case, sent: Buffer): Promise<void> {
  const from = correspondence.addressOf(how.from)
  const mail = Buffer.from(sent.toString('latin1').replaceAll(/\r?\n/g, '\r\n'), 'latin1')
  if (how.layering !== 'encrypt')
    assert.match(await correspondence.deliver(from, how.to, tampered(mail)), /^550 5\.7\.7 /)
  await correspondence.fetch(how.to)
  assert.match(await correspondence.deliver(from, how.to, mail), /^250 /)
  const [fetched = ''] = (await correspondence.fetch(how.to)).values()
  const at = fetched.indexOf('\r\n\r\n')
  const header = fetched.slice(0, at).replaceAll(/\r\n[ \t]+/g, ' ')
  assert.equal(decoded(header, fetched.slice(at + 4)), BODY)
  assert(header.includes(`\r\nSubject: ${SUBJECT}\r\n`))
  const secrecy = how.layering === 'sign' ? 'Not encrypted on the way' : 'Encrypted on the way'
  assert(header.includes(`X-Sealpost-Status: ${secrecy}`), header)
  if (how.layering === 'encrypt') assert.match(header, /^Authentication-Results: [^;]+; smime=none$/m)
  else assert(header.includes(`smime=pass body.smime-identifier=${from}`), header)
}

/** Mail readers write what they sign in quoted-printable (RFC 1847 §2.1 asks for 7 bits). */
function decoded(header: string, body: string): string {
  if (!/^Content-Transfer-Encoding: quoted-printable$/im.test(header)) return body
  const joined = body.replaceAll('=\r\n', '')
  const octets = joined.replaceAll(/=([0-9A-F]{2})/g, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(octets, 'latin1').toString('utf8')
}
