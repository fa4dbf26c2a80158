/**
 * Debian's Dovecot as the mail store behind us: mailboxes and sockets in a temporary folder, IMAP on a free port of
 * 127.0.0.1, LMTP as docs/operating/dovecot/ has it. Needs root, as Dovecot does.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { needs, needsAll } from './apt.ts'
import { freePorts } from './free-port.ts'

/** Of each user, named as in LMTP. */
export interface DovecotUser {
  readonly password: string
  readonly quotaBytes?: number
}

export interface Dovecot extends AsyncDisposable {
  /** IMAP, in the clear. */
  readonly port: number
  /** For `mailboxes.lmtp`: the socket. */
  readonly lmtp: string
  /** LMTP on 127.0.0.1, with STARTTLS by the certificate below. */
  readonly lmtpPort: number
  log(): string
  start(): Promise<void>
  stop(): Promise<void>
}

const TIMEOUT_MS = 60_000
const FOR_OPERATORS = fileURLToPath(new URL('../../docs/operating/dovecot/', import.meta.url))
/** A user of Debian's base system, whom mailboxes may belong to. */
const MAIL_USER = 'mail'

/** For the test's options: skipped where Dovecot is missing or the user is not root. */
export function needsDovecot(more: Readonly<Record<string, string>> = {}): { skip: string | false } {
  const programs = { dovecot: 'dovecot-imapd', sievec: 'dovecot-sieve', ...more }
  const missing = needsAll(programs)
  if (missing.skip !== false) return missing
  const lmtp = needs('/usr/lib/dovecot/lmtp', 'dovecot-lmtpd')
  if (lmtp.skip !== false) return lmtp
  return { skip: process.getuid?.() === 0 ? false : 'Dovecot starts as root only' }
}

export interface DovecotOptions {
  readonly users: Readonly<Record<string, DovecotUser>>
  readonly tls: { readonly certificatePem: string; readonly keyPem: string }
}

export async function startDovecot(options: DovecotOptions): Promise<Dovecot> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-dovecot-'))
  const dovecot = new DovecotProcess(dir, await freePorts(['port', 'lmtpPort']), options)
  try {
    await dovecot.start()
  } catch (error) {
    await dovecot[Symbol.asyncDispose]()
    throw error
  }
  return dovecot
}

class DovecotProcess implements Dovecot {
  readonly port: number
  readonly lmtp: string
  readonly lmtpPort: number
  readonly #dir: string
  #master: ChildProcess | undefined
  #output = ''

  constructor(dir: string, { port, lmtpPort }: Record<'port' | 'lmtpPort', number>, { users, tls }: DovecotOptions) {
    this.#dir = dir
    this.port = port
    this.lmtpPort = lmtpPort
    this.lmtp = join(dir, 'run', 'sealpost-lmtp')
    chmodSync(dir, 0o755)
    mkdirSync(join(dir, 'mail'))
    chownSync(join(dir, 'mail'), idOf('-u'), idOf('-g'))
    for (const file of ['sealpost.sieve', '90-sealpost.conf']) copyFileSync(join(FOR_OPERATORS, file), join(dir, file))
    writeFileSync(join(dir, 'users'), Object.entries(users).map(userLine).join(''))
    writeFileSync(join(dir, 'dovecot.conf'), configuration(dir, port, lmtpPort))
    writeFileSync(join(dir, 'certificate.pem'), tls.certificatePem)
    writeFileSync(join(dir, 'key.pem'), tls.keyPem, { mode: 0o600 })
  }

  log(): string {
    return this.#output
  }

  async start(): Promise<void> {
    const master = spawn('/usr/sbin/dovecot', ['-F', '-c', join(this.#dir, 'dovecot.conf')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#master = master
    for (const stream of [master.stdout, master.stderr])
      stream.on('data', (chunk: Buffer) => (this.#output += chunk.toString()))
    const endMs = performance.now() + TIMEOUT_MS
    while (!(await greets(this.port))) {
      if (performance.now() > endMs || master.exitCode !== null)
        throw new Error(`Dovecot does not start: ${this.log()}`)
      await sleep(50)
    }
  }

  async stop(): Promise<void> {
    const master = this.#master
    this.#master = undefined
    if (master === undefined || master.exitCode !== null) return
    const exit = new Promise((resolve) => master.once('exit', resolve))
    master.kill('SIGTERM')
    await exit
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await rm(this.#dir, { recursive: true, force: true })
  }
}

/** What an operator's Dovecot has already; then what is for us, and what of that is different in a test. */
const configuration = (dir: string, port: number, lmtpPort: number): string => `
base_dir = ${dir}/run
state_dir = ${dir}/state
log_path = /dev/stderr
ssl = yes
ssl_cert = <${dir}/certificate.pem
ssl_key = <${dir}/key.pem
disable_plaintext_auth = no
default_process_limit = 20
default_vsz_limit = 512M
protocols = imap lmtp
mail_location = maildir:~/Maildir
mail_uid = ${idOf('-u')}
mail_gid = ${idOf('-g')}
first_valid_uid = 1
first_valid_gid = 1
mail_plugins = quota
plugin {
  quota = maildir:User quota
  quota_grace = 0
}
passdb {
  driver = passwd-file
  args = ${dir}/users
}
userdb {
  driver = passwd-file
  args = ${dir}/users
  default_fields = home=${dir}/mail/%u
}
service imap-login {
  inet_listener imap {
    address = 127.0.0.1
    port = ${port}
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  chroot =
}
!include ${dir}/90-sealpost.conf
service lmtp {
  unix_listener sealpost-lmtp {
    user = root
  }
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${lmtpPort}
  }
}
plugin {
  sieve_before = ${dir}/sealpost.sieve
}
`

function userLine([name, { password, quotaBytes }]: readonly [string, DovecotUser]): string {
  const quota = quotaBytes === undefined ? '' : `userdb_quota_rule=*:bytes=${quotaBytes}`
  return `${name}:{PLAIN}${password}::::::${quota}\n`
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const settle = (up: boolean): void => {
      socket.destroy()
      resolve(up)
    }
    socket.once('data', (chunk: Buffer) => settle(chunk.toString().startsWith('* OK')))
    socket.once('error', () => settle(false))
    socket.once('close', () => settle(false))
  })
}

const idOf = (flag: '-u' | '-g'): number =>
  Number(spawnSync('id', [flag, MAIL_USER], { encoding: 'utf8' }).stdout.trim())
