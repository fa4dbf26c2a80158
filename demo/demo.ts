/**
 * The main job, watched from outside: three providers on loopback, the four users of the patent's figures 5 and 6, real
 * mail by SMTP and POP3, and somebody on the wire. `npm run demo`; with `-- --keep` the providers stay up.
 */
import { once } from 'node:events'
import { talkPop3s, fetchAll, fetchWhenThere } from '../test/support/pop3-client.ts'
import { type Provider, makeProvider } from '../test/support/provider.ts'
import { submit } from '../test/support/smtp-client.ts'
import { type WireTap, startWireTap } from '../test/support/wire-tap.ts'
import { changeOneLetter, check, closing, failures, heading, mail, note, onTheWire, quote, step } from './narrate.ts'

const AZUMA = 't-azuma@biglobe.ne.jp'
const KUBOTA = 'h-kubota@biglobe.ne.jp'
const SUZUKI = 'u-suzuki@abc.com'
const ESTO = 'i-esto@nec.co.us'
const USERS = [AZUMA, KUBOTA, SUZUKI, ESTO] as const
const DOMAINS = ['biglobe.ne.jp', 'abc.com', 'nec.co.us'] as const
type Domain = (typeof DOMAINS)[number]

interface World {
  readonly providers: Readonly<Record<Domain, Provider>>
  /** The wire in front of each provider's port 25. */
  readonly wires: Readonly<Record<Domain, WireTap>>
  readonly passwords: Map<string, string>
}

const domainOf = (address: string): Domain => address.slice(address.indexOf('@') + 1) as Domain

async function main(): Promise<void> {
  const keep = process.argv.includes('--keep')
  note('A1 to A4 and B1 to B8 are the steps of the patent (figures 3 and 4), S2 and S3 requirements.')
  note('222 is the store of public keys, 221 that of private keys. Servers, mail and keys are real.')
  const world = await build()
  try {
    await there(world)
    await back(world)
    await several(world)
    await tampered(world)
    if (keep) await stay(world)
  } finally {
    await Promise.all(DOMAINS.map((domain) => world.providers[domain][Symbol.asyncDispose]()))
    await Promise.all(DOMAINS.map((domain) => world.wires[domain][Symbol.asyncDispose]()))
  }
  if (failures() > 0) closing(`${failures()} checks failed.`, false)
  else closing('Everything happened as the patent says. Your own provider: README.md, five minutes.', true)
  process.exitCode = failures() === 0 ? 0 : 1
}

async function build(): Promise<World> {
  heading('Three providers, four users (figures 5 and 6)')
  const made = await Promise.all(DOMAINS.map((domain) => makeProvider({ domains: [domain] })))
  const providers = Object.fromEntries(DOMAINS.map((domain, index) => [domain, made[index]])) as World['providers']
  const taps = await Promise.all(DOMAINS.map((domain) => startWireTap(() => providers[domain].ports.mx)))
  const wires = Object.fromEntries(DOMAINS.map((domain, index) => [domain, taps[index]])) as World['wires']
  const world: World = { providers, wires, passwords: new Map() }
  await Promise.all(DOMAINS.map((domain) => register(world, domain)))
  await introduce(world)
  const readyMs = await Promise.all(DOMAINS.map((domain) => providers[domain].start()))
  note(`three servers ready in ${Math.round(Math.max(...readyMs))} ms`)
  return world
}

/** S1, S2, S4: the provider gives the address and makes the keys. */
async function register({ providers, wires, passwords }: World, domain: Domain): Promise<void> {
  const provider = providers[domain]
  const others = DOMAINS.filter((other) => other !== domain)
  await provider.configure({
    relay: { routes: Object.fromEntries(others.map((other) => [other, `127.0.0.1:${wires[other].port}`])) },
    peers: others,
  })
  for (const address of USERS.filter((each) => domainOf(each) === domain)) {
    const [user] = await provider.cli(['user', 'add', address])
    passwords.set(address, String(user?.['password']))
    const keys = (user?.['keys'] ?? []) as { standard: Standard; algorithm: string; fingerprint: string }[]
    const named = keys.map((key) => `${NAMES[key.standard]} ${key.algorithm} key ${key.fingerprint.slice(0, 8)}…`)
    step('S2', `${domain} registers ${address}: ${named.join(', ')}, private parts in 221`)
  }
}

/** S3: the public-key store 222 holds the other providers' users as well. One provider is known by OpenPGP keys only. */
async function introduce({ providers }: World): Promise<void> {
  const exported = await Promise.all(
    USERS.map(async (address) => {
      const take = async (standard: Standard): Promise<string> => {
        const [key] = await providers[domainOf(address)].cli(['key', 'export', address, '--standard', standard])
        if (standard === 'smime') return String(key?.['pem'])
        return Buffer.from(String(key?.['openpgp']), 'base64').toString()
      }
      return { address, smime: await take('smime'), openpgp: await take('openpgp') }
    }),
  )
  for (const domain of DOMAINS)
    for (const standard of ['smime', 'openpgp'] as const) {
      const foreign = exported.filter(
        ({ address }) => domainOf(address) !== domain && standardBetween(domainOf(address), domain) === standard,
      )
      if (foreign.length === 0) continue
      for (const each of foreign) await providers[domain].cli(['key', 'import', '-'], each[standard])
      const whose = foreign.map(({ address }) => address).join(', ')
      step('S3', `${domain} knows the ${NAMES[standard]} keys of ${whose}`)
    }
}

type Standard = 'smime' | 'openpgp'
const NAMES = { smime: 'S/MIME', openpgp: 'OpenPGP' } as const
const standardBetween = (one: Domain, other: Domain): Standard =>
  [one, other].includes('nec.co.us') ? 'openpgp' : 'smime'

/** A1 to A4, B1 to B8. */
async function there(world: World): Promise<void> {
  heading(`${AZUMA} writes to ${SUZUKI}`)
  const message = mail(AZUMA, [SUZUKI], 'Contract', ['Dear Suzuki-san,', 'the price is 1,234,567 yen.', '.', 'Azuma'])
  await outbound(world, message, AZUMA, [SUZUKI], FULLY)
  await inbound(world, message, SUZUKI, FULLY)
}

async function back(world: World): Promise<void> {
  heading(`${SUZUKI} answers`)
  const message = mail(SUZUKI, [AZUMA], 'Re: Contract', ['Dear Azuma-san,', 'we agree.', 'Suzuki'])
  await outbound(world, message, SUZUKI, [AZUMA], BRIEFLY)
  await inbound(world, message, AZUMA, FULLY)
}

/** Several recipients: one in the sender's own provider, one abroad whose key is OpenPGP; each gets only what is theirs. */
async function several(world: World): Promise<void> {
  heading(`${AZUMA} writes to a neighbour and to ${ESTO}`)
  const message = mail(AZUMA, [KUBOTA, ESTO], 'Meeting', ['Monday at ten.', 'Azuma'])
  await outbound(world, message, AZUMA, [KUBOTA, ESTO], BRIEFLY)
  for (const reader of [KUBOTA, ESTO]) await inbound(world, message, reader, BRIEFLY)
}

/** Lines shown of a mail. */
const FULLY = 26
const BRIEFLY = 12

async function outbound(
  world: World,
  message: Buffer,
  from: string,
  to: readonly string[],
  linesMax: number,
): Promise<void> {
  const provider = world.providers[domainOf(from)]
  step('A1', `${from} submits it in plaintext (SMTP, signed in over TLS):`)
  quote(message)
  const sent = await submit({
    port: provider.ports.submission,
    user: from,
    password: passwordOf(world, from),
    to,
    message,
  })
  check(`the server answers: ${sent.reply}`, sent.reply.startsWith('250'))
  const made = await provider.event('queued', isAbout(message))
  step('A2', `encrypted with the public key of ${(made['recipients'] as string[]).join(' and ')} from 222`)
  step('A3', `signed over the encrypted mail with the private key of ${String(made['sender'])} from 221`)
  for (const recipient of to) {
    await provider.event('delivered', (event) => isAbout(message)(event) && event['recipient'] === recipient)
    step('A4', `delivered towards ${recipient}`)
  }
  const abroad = to.find((address) => domainOf(address) !== domainOf(from))
  if (abroad === undefined) return
  const crossed = world.wires[domainOf(abroad)].messages.at(-1)
  const onWire = crossed?.toString() ?? ''
  check('the wire saw no word of the text, nor the subject', onWire !== '' && !seesPlaintext(onWire, message))
  const layers = [...onWire.matchAll(/multipart\/(?:signed|encrypted)|smime-type=(?:authE|e)nveloped-data/g)].map(
    ([type]) => type.replace('authE', 'e'),
  ) // AES-GCM, once they know of each other that they read it
  const standard = standardBetween(domainOf(from), domainOf(abroad))
  const inside = standard === 'smime' ? 'smime-type=enveloped-data' : 'multipart/encrypted'
  const isOutside = layers.join() === `multipart/signed,${inside}`
  check(`${NAMES[standard]}: the signature is outside, over the encrypted mail`, isOutside)
  onTheWire(crossed ?? Buffer.alloc(0), linesMax)
}

async function inbound(world: World, message: Buffer, reader: string, linesMax: number): Promise<void> {
  const provider = world.providers[domainOf(reader)]
  const verdict = await provider.event('verdict', (event) => isAbout(message)(event) && event['recipient'] === reader)
  step('B1', `${domainOf(reader)} receives it for ${reader}`)
  step('B2', `signature opened with the public key of ${String(verdict['signer'])} from 222`)
  check(`digest compared: signature ${String(verdict['signature'])}`, verdict['signature'] === 'valid', 'B3')
  await provider.event('stored', (event) => isAbout(message)(event) && event['recipient'] === reader)
  step('B4', `decrypted with the private key of ${reader} from 221, and stored`)
  const [fetched] = await fetchWhenThere(provider.ports.pop3s, reader, passwordOf(world, reader))
  step('B6', `${reader} asks for mail (POP3 over TLS)`)
  step('B7', 'the plaintext is handed over:')
  quote(fetched ?? Buffer.alloc(0), linesMax)
  check('it is what was written, byte for byte', fetched !== undefined && fetched.includes(message), 'B8')
  await fetchAll(provider.ports.pop3s, reader, passwordOf(world, reader), { remove: true })
}

/** B5: changed on the way, it is refused in the session, and the sender is told. */
async function tampered(world: World): Promise<void> {
  heading('Somebody on the wire changes one letter')
  const wire = world.wires['abc.com']
  wire.tamper = (crossing) => {
    const { changed, from, to } = changeOneLetter(crossing)
    note(`in the encrypted part, one "${from}" becomes "${to}"`)
    return changed
  }
  const message = mail(AZUMA, [SUZUKI], 'Account', ['Please pay to account 1234567.'])
  const { ports } = world.providers['biglobe.ne.jp']
  const sent = await submit({
    port: ports.submission,
    user: AZUMA,
    password: passwordOf(world, AZUMA),
    to: [SUZUKI],
    message,
  })
  step('A1', `${AZUMA} writes to ${SUZUKI} again: ${sent.reply}`)
  const verdict = await world.providers['abc.com'].event('verdict', isAbout(message))
  step('B3', `abc.com finds: signature ${String(verdict['signature'])} (${String(verdict['why'])})`)
  await world.providers['biglobe.ne.jp'].event('returned', isAbout(message))
  const reply = wire.replies.findLast((line) => line.startsWith('550'))
  check(`reception is refused: ${reply}`, reply?.startsWith('550 5.7.7') === true, 'B5')
  const suzuki = await fetchAll(world.providers['abc.com'].ports.pop3s, SUZUKI, passwordOf(world, SUZUKI))
  check('nothing reached the mailbox', suzuki.length === 0)
  const [report] = await fetchWhenThere(ports.pop3s, AZUMA, passwordOf(world, AZUMA))
  check('the sender is told', report?.includes('5.7.7') === true)
  wire.tamper = undefined
}

async function stay(world: World): Promise<void> {
  heading('The providers stay up: connect your own mail client')
  note('The certificates are self-signed. The user name is the address. Ctrl-C ends it.')
  for (const [address, password] of world.passwords) {
    const { submission, submissions, pop3s } = world.providers[domainOf(address)].ports
    note(`${address}  password ${password}`)
    note(`    SMTP 127.0.0.1:${submission} (STARTTLS) or ${submissions} (TLS); POP3 127.0.0.1:${pop3s} (TLS)`)
    await (await talkPop3s(pop3s))[Symbol.asyncDispose]()
  }
  await once(process, 'SIGINT')
}

function passwordOf(world: World, address: string): string {
  const password = world.passwords.get(address)
  if (password === undefined) throw new Error(`no user ${address}`)
  return password
}

const messageId = (message: Buffer): string => /^Message-ID: (.*)\r$/m.exec(message.toString())?.[1] ?? ''

const isAbout =
  (message: Buffer) =>
  (event: Readonly<Record<string, unknown>>): boolean =>
    event['messageId'] === messageId(message)

function seesPlaintext(crossed: string, message: Buffer): boolean {
  const [header = '', body = ''] = message.toString().split('\r\n\r\n')
  const subject = /^Subject: (.*)$/m.exec(header.replaceAll('\r', ''))?.[1] ?? ''
  return [subject, ...body.split('\r\n')].some((line) => line.length > 4 && crossed.includes(line))
}

await main()
