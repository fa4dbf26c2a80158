/** Mail programs that send: each knows nothing but server, name and password. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, runWell } from './run.ts'
import { withLf } from './same-mail.ts'
import type { Sample } from './samples.ts'
import type { Terminal } from './three-providers.ts'

/** `starttls`: port 587; `tls`: port 465; a number: a port on this machine where passwords may travel in clear. */
export type Way = 'starttls' | 'tls' | number

export interface Sender {
  readonly name: string
  /** Programs and the Debian packages that bring them. */
  readonly packages: Readonly<Record<string, string>>
  /** It sends a file as it is; the others write the message themselves. */
  readonly verbatim: boolean
  /** Resolves when the server has taken the mail; throws with the program's words otherwise. */
  send(terminal: Terminal, sample: Sample, to: string, way: Way): Promise<void>
}

/** What a verbatim sender was given, in the terminal's home, with CRLF. */
const SENT = 'mail.eml'

/** What a verbatim sender has sent from this terminal. */
export const sentFrom = ({ home }: Terminal): Buffer => readFileSync(join(home, SENT))

function portOf({ ports }: Terminal, way: Way): number {
  if (way === 'starttls') return ports.submission
  return way === 'tls' ? ports.submissions : way
}

const mboxOf = (message: Buffer): Buffer =>
  Buffer.concat([Buffer.from('From nobody Sun Nov 22 15:00:00 2026\n'), withLf(message), Buffer.from('\n')])

/** Puts a file into the terminal's home and returns its path. */
export function put({ home }: Terminal, name: string, content: string | Uint8Array): string {
  const file = join(home, name)
  writeFileSync(file, content, { mode: 0o600 })
  return file
}

const swaks: Sender = {
  name: 'swaks',
  packages: { swaks: 'swaks libnet-ssleay-perl libauthen-sasl-perl' },
  verbatim: true,
  async send(terminal, sample, to, way) {
    const { home, address, password, anchor } = terminal
    const message = sample.message(address, to)
    put(terminal, SENT, message)
    const file = put(terminal, 'data', message.subarray(0, -2)) // it puts a line end and a dot behind what it is given
    const tls = way === 'starttls' ? ['--tls'] : way === 'tls' ? ['--tls-on-connect'] : []
    const verify = tls.length > 0 ? ['--tls-verify', '--tls-ca-path', anchor] : []
    const login = ['--auth', way === 'tls' ? 'LOGIN' : 'PLAIN', '--auth-user', address, `--auth-password=${password}`]
    const server = ['--server', 'localhost', '--port', String(portOf(terminal, way)), ...tls, ...verify, ...login]
    await runWell(home, 'swaks', [...server, '--from', address, '--to', to, '--data', `@${file}`, '--suppress-data'])
  },
}

const curl: Sender = {
  name: 'curl',
  packages: { curl: 'curl' },
  verbatim: true,
  async send(terminal, sample, to, way) {
    const { address } = terminal
    await curlSends(terminal, { from: address, to: [to], message: sample.message(address, to), way })
  },
}

/** For what samples do not say. */
export async function curlSends(
  terminal: Terminal,
  mail: { readonly from: string; readonly to: readonly string[]; readonly message: Buffer; readonly way: Way },
): Promise<void> {
  const { home, address, password, anchor } = terminal
  const file = put(terminal, SENT, mail.message)
  const scheme = mail.way === 'tls' ? 'smtps' : 'smtp'
  const tls = mail.way === 'starttls' ? ['--ssl-reqd'] : []
  const rcpt = mail.to.flatMap((to) => ['--mail-rcpt', to])
  const url = `${scheme}://localhost:${portOf(terminal, mail.way)}/terminal.example`
  const login = ['-u', `${address}:${password}`, '--cacert', anchor, ...tls]
  await runWell(home, 'curl', ['-sS', ...login, '--mail-from', mail.from, ...rcpt, '-T', file, url])
}

const msmtp: Sender = {
  name: 'msmtp',
  packages: { msmtp: 'msmtp' },
  verbatim: true,
  async send(terminal, sample, to, way) {
    const { home, address, password, anchor } = terminal
    const tls = typeof way === 'number' ? 'tls off' : `tls on\ntls_starttls ${way === 'starttls' ? 'on' : 'off'}`
    const auth = way === 'tls' ? 'login' : 'plain'
    const server = `host localhost\nport ${portOf(terminal, way)}\n${tls}\ntls_trust_file ${anchor}\n`
    put(
      terminal,
      '.msmtprc',
      `account default\n${server}auth ${auth}\nuser ${address}\npassword ${password}\nfrom ${address}\n`,
    )
    const message = sample.message(address, to)
    put(terminal, SENT, message)
    await runWell(home, 'msmtp', ['--', to], { input: withLf(message) })
  },
}

const sNail: Sender = {
  name: 's-nail',
  packages: { 's-nail': 's-nail' },
  verbatim: false,
  async send(terminal, sample, to, way) {
    const { home, address, password, anchor } = terminal
    const login = `${encodeURIComponent(address)}:${encodeURIComponent(password)}`
    const scheme = way === 'tls' ? 'smtps' : 'smtp'
    const settings = {
      mta: `${scheme}://${login}@localhost:${portOf(terminal, way)}`,
      from: address,
      'smtp-auth': way === 'tls' ? 'login' : 'plain',
      hostname: 'terminal.example',
      'tls-ca-file': anchor,
      'tls-verify': 'strict',
      ttycharset: 'utf-8',
      record: join(home, 'sent'),
      DEAD: join(home, 'dead.letter'),
      ...(way === 'starttls' && { 'smtp-use-starttls': '' }),
      ...(sample.compose !== undefined && {
        sendcharsets: sample.compose.charset,
        'mime-encoding': '8b',
      }),
    }
    const options = Object.entries(settings).map(([name, value]) => `-S${name}${value === '' ? '' : `=${value}`}`)
    const common = ['-:/', '-Sv15-compat', '-Ssendwait', ...options]
    const { compose } = sample
    if (compose === undefined) {
      const mbox = put(terminal, 'drafts', mboxOf(sample.message(address, to)))
      await runWell(home, 's-nail', [...common, '-#', '-Y', `Resend 1 ${to}`, '-Y', 'exit', '-f', mbox])
      return
    }
    const { subject, text, attachment } = compose
    const attach = attachment === undefined ? [] : ['-a', put(terminal, attachment.fileName, attachment.bytes)]
    await runWell(home, 's-nail', [...common, '-s', subject, ...attach, to], { input: text })
  },
}

const mutt: Sender = {
  name: 'mutt',
  packages: { mutt: 'mutt', script: 'bsdutils' },
  verbatim: false,
  async send(terminal, sample, to, way) {
    const { home, address } = terminal
    put(terminal, '.muttrc', muttSettings(terminal, way))
    const { compose } = sample
    if (compose === undefined) {
      const drafts = put(terminal, 'drafts', mboxOf(sample.message(address, to)))
      await muttOnScreen(terminal, `-f ${drafts}`, `<bounce-message>${to}<enter>y<exit>`)
      return
    }
    const { subject, text, charset, attachment } = compose
    const attach = attachment === undefined ? [] : ['-a', put(terminal, attachment.fileName, attachment.bytes)]
    const args = ['-n', '-e', `set send_charset=${charset}`, '-s', subject, ...attach, '--', to]
    await runWell(home, 'mutt', args, { input: text })
  },
}

/** What mutt is told of the servers, and that it shall not ask. */
export function muttSettings(terminal: Terminal, way: Way): string {
  const { address, password, anchor, home, ports } = terminal
  const login = encodeURIComponent(address)
  const lines = [
    `from="${address}"`,
    `smtp_url="${way === 'tls' ? 'smtps' : 'smtp'}://${login}@localhost:${portOf(terminal, way)}/"`,
    `smtp_pass="${password}"`,
    `smtp_authenticators=${way === 'tls' ? 'login' : 'plain'}`,
    `pop_user="${address}" pop_pass="${password}" pop_host="pops://localhost:${ports.pop3s}"`,
    `ssl_starttls=${typeof way === 'number' ? 'no' : 'yes'} ssl_force_tls=${typeof way === 'number' ? 'no' : 'yes'}`,
    `ssl_ca_certificates_file="${anchor}" certificate_file="${anchor}"`,
    'charset=utf-8 allow_8bit=yes use_8bitmime=yes hostname=terminal.example',
    `record="${home}/sent" folder="${home}" mbox_type=Maildir copy=yes`,
    'confirmappend=no confirmcreate=no delete=no move=no quit=yes wait_key=no sleep_time=0 weed=no',
    'editor=true autoedit=yes edit_headers=yes abort_unmodified=no',
  ]
  return lines.map((line) => `set ${line}\n`).join('')
}

/**
 * Settings for `muttOnScreen`, where a mail is written: mutt forgets keys that were pressed before the editor ended, but
 * runs this hook after it, twice; X sends the mail the first time, and leaves the mailbox the second.
 */
export const SEND_WHEN_EDITED = 'macro compose X <send-message>\nmacro index X <exit>\nsend2-hook . "push X"\n'

/** Runs mutt on a terminal of its own; `keys` is what its user presses. */
export async function muttOnScreen(terminal: Terminal, args: string, keys = ''): Promise<void> {
  const command = `mutt -n ${args} ${keys === '' ? '' : `-e 'push "${keys}"'`}`
  const { status, output } = await run(terminal.home, 'script', ['-qec', command, '/dev/null'])
  if (status !== 0) throw new Error(`mutt ended with ${status}: ${output.toString().slice(-2000)}`)
}

export const SENDERS: readonly Sender[] = [swaks, curl, msmtp, sNail, mutt]
