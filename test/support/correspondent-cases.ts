/** What is tried between our users and a correspondent without Sealpost: every layering, algorithm, form and key. */
import { type Correspondence, type PeerDomain, OUR_DOMAIN, eachOf, ourAddress, peerAddress } from './correspondence.ts'
import type { KeyKind } from './correspondent.ts'

export type Form = 'detached' | 'opaque'
export type Layering = 'sign' | 'encrypt' | 'encrypt-sign' | 'sign-encrypt' | 'triple'
export type Cipher = 'aes-128-cbc' | 'aes-256-cbc' | 'aes-256-gcm'

export interface Case {
  readonly layering: Layering
  readonly form: Form
  readonly cipher: Cipher
  readonly from: KeyKind
  readonly to: KeyKind
  readonly keyTransport?: 'rsa-oaep'
  readonly signature?: 'rsa-pss'
  readonly headerProtection?: boolean
  /** The Subject stands inside only. */
  readonly subject?: 'hidden'
}

/** Layers in the order in which a reader meets them. */
export const LAYERS: Readonly<Record<Layering, readonly ('signed' | 'encrypted')[]>> = {
  sign: ['signed'],
  encrypt: ['encrypted'],
  'encrypt-sign': ['signed', 'encrypted'],
  'sign-encrypt': ['encrypted', 'signed'],
  triple: ['signed', 'encrypted', 'signed'],
}

const KEYS: readonly KeyKind[] = ['rsa', 'p256']
const FORMS: readonly Form[] = ['detached', 'opaque']
const SEALED: readonly Layering[] = ['encrypt-sign', 'sign-encrypt', 'triple']
const PLAIN = { form: 'detached', cipher: 'aes-256-cbc', from: 'rsa', to: 'rsa' } as const

/** Both keys on both sides with the default cipher, the same keys on both sides with the others. */
export function casesFor(layerings: readonly Layering[]): readonly Case[] {
  return layerings.flatMap((layering) =>
    FORMS.flatMap((form) => {
      if (layering === 'encrypt' && form === 'opaque') return [] // has no signature
      const pairs = KEYS.flatMap((from) => KEYS.map((to) => ({ layering, form, from, to })))
      if (layering === 'sign') return pairs.filter(({ to }) => to === 'rsa').map((each) => ({ ...PLAIN, ...each }))
      const others = (['aes-128-cbc', 'aes-256-gcm'] as const).flatMap((cipher) =>
        pairs.filter(({ from, to }) => from === to).map((each) => ({ ...each, cipher })),
      )
      return [...pairs.map((each) => ({ ...each, cipher: PLAIN.cipher })), ...others]
    }),
  )
}

/** What only we can be told to do, and only by configuration. */
export const OUTBOUND_EXTRAS: readonly Case[] = [
  { ...PLAIN, layering: 'sign', headerProtection: false },
  { ...PLAIN, layering: 'sign', signature: 'rsa-pss' },
  ...SEALED.flatMap((layering) => [
    { ...PLAIN, layering, headerProtection: false },
    { ...PLAIN, layering, keyTransport: 'rsa-oaep' as const },
    { ...PLAIN, layering, subject: 'hidden' as const },
  ]),
]

/** Not the whole product, for programs that take long to show a mail. */
export const FEW_OUTBOUND: readonly Case[] = [
  ...casesFor(['sign']),
  { ...PLAIN, layering: 'sign', signature: 'rsa-pss' },
  ...SEALED.flatMap((layering): Case[] => [
    { ...PLAIN, layering },
    { ...PLAIN, layering, form: 'opaque' },
    { ...PLAIN, layering, from: 'p256' },
    { ...PLAIN, layering, to: 'p256' },
    { ...PLAIN, layering, cipher: 'aes-256-gcm' },
    { ...PLAIN, layering, headerProtection: false },
  ]),
  { ...PLAIN, layering: 'sign-encrypt', cipher: 'aes-128-cbc' },
  { ...PLAIN, layering: 'sign-encrypt', keyTransport: 'rsa-oaep' },
  { ...PLAIN, layering: 'sign-encrypt', subject: 'hidden' },
]

export const nameOf = ({
  layering,
  form,
  cipher,
  from,
  to,
  keyTransport,
  signature,
  headerProtection,
  subject,
}: Case): string =>
  [
    layering,
    ...(layering === 'encrypt' ? [] : [form]),
    ...(layering === 'sign' ? [] : [cipher]),
    keyTransport,
    signature,
    headerProtection === false ? 'without header protection' : undefined,
    subject === 'hidden' ? 'Subject hidden' : undefined,
    `from ${from} to ${to}`,
  ]
    .filter((word) => word !== undefined)
    .join(', ')

/** One domain of the correspondent for each set of policies that the cases need. */
export function domainsFor(cases: readonly Case[]): readonly PeerDomain[] {
  const domains = new Map<string, PeerDomain>()
  for (const each of cases) {
    const { layering, form, cipher, keyTransport, signature, headerProtection, subject } = each
    const settings = { signatureForm: form, cipher, keyTransport, signature, headerProtection, subject }
    const order = layering === 'sign' ? [] : [['layering', layering] as const]
    const given = Object.entries(settings).filter(([, value]) => value !== undefined)
    const policy = Object.fromEntries<unknown>([...order, ...given])
    domains.set(domainOf(each), { domain: domainOf(each), policy, keyless: layering === 'sign' })
  }
  return [...domains.values()]
}

function domainOf({ layering, form, cipher, keyTransport, signature, headerProtection, subject }: Case): string {
  const extras = [keyTransport, signature, headerProtection === false ? 'bare' : undefined, subject]
  return `${[layering, form, cipher, ...extras].filter((word) => word !== undefined).join('.')}.example`
}

export const SUBJECT = 'Meeting on the fourth floor'
/** 8-bit text, a dot alone, what mbox files change, blanks at the end of a line. */
export const BODY = 'Guten Tag, Welt! é 日本\r\n.\r\n.dot\r\nFrom here on\r\ntrailing  \r\n\r\nend\r\n'
export const TYPE_FIELDS =
  'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n'

let lastNumber = 0

/** The header of a mail of its own, without what says what the body is. */
export function headerOf(from: string, to: string, domain: string): { readonly id: string; readonly fields: string } {
  const id = `<${process.pid}.${++lastNumber}@${domain}>`
  // Thunderbird compares it with the time of signing.
  const date = `Date: ${new Date().toUTCString().replace('GMT', '+0000')}\r\n`
  return { id, fields: `From: ${from}\r\nTo: ${to}\r\nSubject: ${SUBJECT}\r\n${date}Message-ID: ${id}\r\n` }
}

/** Our users send one mail for each case; the mails as they arrive. */
export function sendAll(correspondence: Correspondence, cases: readonly Case[]): Promise<Buffer[]> {
  return eachOf(cases, (each) => {
    const to = peerAddress(each.to, domainOf(each))
    const { fields } = headerOf(ourAddress(each.from), to, OUR_DOMAIN)
    return correspondence.send(each.from, to, `${fields}${TYPE_FIELDS}\r\n${BODY}`)
  })
}

/** One byte of what the author wrote is another one: where it stands in clear, in the signed content, in the ciphertext. */
export function tampered(mail: Buffer): Buffer {
  const text = mail.toString('latin1')
  const changed = Buffer.from(mail)
  const at = text.includes('Guten Tag') ? text.indexOf('Guten Tag') : offsetInBase64(text)
  changed[at] = changed[at] === 0x41 ? 0x42 : 0x41
  return changed
}

/** Content is at the beginning of SignedData, and at the end of EnvelopedData. */
function offsetInBase64(text: string): number {
  // In the header, an Autocrypt field has base64 that no layer covers.
  const body = text.search(/\r?\n\r?\n/)
  const [run] = /(?:[A-Za-z0-9+/]{60,}\r?\n)+/.exec(text.slice(body)) ?? []
  if (run === undefined) throw new Error('there is no base64 to change')
  const begin = text.indexOf(run, body)
  const lineChars = run.indexOf('\n') + 1
  const isSigned = /smime-type=signed-data/i.test(text.slice(0, begin))
  return begin + (isSigned ? 3 * lineChars : run.length - 3 * lineChars) + 20
}
