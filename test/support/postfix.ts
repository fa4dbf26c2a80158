/**
 * Debian's Postfix as a mail host of its own: configuration, queue and mailboxes in a temporary folder, on a free port of
 * 127.0.0.1. It takes mail for b.example and delivers it into Maildirs. Needs root, as Postfix does.
 */
import { spawn, spawnSync } from 'node:child_process'
import { chownSync, chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { needs } from './apt.ts'
import { freePort } from './free-port.ts'

export interface PostfixOptions {
  readonly users: readonly string[]
  readonly messageSizeMaxBytes: number
  readonly tls: { readonly certificatePem: string; readonly keyPem: string }
  /** More lines of main.cf. */
  readonly settings?: Readonly<Record<string, string>>
  /** More lines of master.cf, and of the SMTP server's. */
  readonly services?: readonly (readonly string[])[]
}

export interface Postfix extends AsyncDisposable {
  readonly port: number
  /** Of the master, whose children all others are. */
  readonly pid: number
  /** Messages of a user's Maildir as they lie there (LF line ends), oldest first; waits until there are `count`. */
  mailbox(user: string, count: number): Promise<string[]>
  log(): string
}

const START_TIMEOUT_MS = 60_000

/** For the test's options: skipped where Postfix is missing or the user is not root. */
export function needsPostfix(): { skip: string | false } {
  const missing = needs('postfix', 'postfix')
  if (missing.skip !== false) return missing
  return { skip: process.getuid?.() === 0 ? false : 'Postfix starts as root only' }
}

export async function startPostfix(options: PostfixOptions): Promise<Postfix> {
  const dir = await mkdtemp(join(tmpdir(), 'sealpost-postfix-'))
  const port = await freePort()
  const files = writeConfiguration(dir, port, options)
  const master = spawn('/usr/sbin/postfix', ['-c', files.config, 'start-fg'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [master.stdout, master.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const log = (): string => output + readOrNothing(files.log)
  const stop = async (): Promise<void> => {
    const exit = new Promise((resolve) => master.once('exit', resolve))
    spawnSync('/usr/sbin/postfix', ['-c', files.config, 'stop'], { stdio: 'ignore' })
    if (master.exitCode === null) await exit
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    await greets(port)
  } catch (error) {
    const words = log()
    await stop()
    throw new Error(`Postfix did not start: ${words}`, { cause: error })
  }
  return {
    port,
    pid: masterPid(dir),
    log,
    mailbox: (user, count) => readMaildir(join(dir, 'mail', user), count, log),
    [Symbol.asyncDispose]: stop,
  }
}

interface Files {
  readonly config: string
  readonly log: string
}

function writeConfiguration(dir: string, port: number, options: PostfixOptions): Files {
  const [postfix, nobody] = [userId('postfix'), userId('nobody')]
  chmodSync(dir, 0o755)
  const folder = (name: string, owner = 0): string => {
    mkdirSync(join(dir, name))
    chownSync(join(dir, name), owner, 0)
    return join(dir, name)
  }
  const config = folder('etc')
  const log = join(folder('log'), 'mail.log')
  writeFileSync(join(config, 'cert.pem'), options.tls.certificatePem)
  writeFileSync(join(config, 'key.pem'), options.tls.keyPem, { mode: 0o600 })
  const users = options.users.map((user) => `{${user}@b.example=${user}/}`).join(', ')
  const settings: Record<string, string> = {
    compatibility_level: '3.6',
    queue_directory: folder('spool'),
    data_directory: folder('data', postfix),
    mail_owner: 'postfix',
    setgid_group: 'postdrop',
    myhostname: 'mx.b.example',
    mydestination: '',
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    maillog_file: log,
    maillog_file_prefixes: dir,
    virtual_mailbox_domains: 'b.example',
    virtual_mailbox_base: folder('mail', nobody),
    virtual_mailbox_maps: `inline:{ ${users} }`,
    virtual_uid_maps: `static:${nobody}`,
    virtual_gid_maps: `static:${nobody}`,
    virtual_mailbox_limit: '0',
    message_size_limit: String(options.messageSizeMaxBytes),
    smtputf8_enable: 'yes',
    smtpd_tls_security_level: 'may',
    smtpd_tls_cert_file: join(config, 'cert.pem'),
    smtpd_tls_key_file: join(config, 'key.pem'),
    mynetworks: '',
    smtpd_relay_restrictions: 'reject_unauth_destination',
    alias_maps: '',
    local_recipient_maps: '',
    ...options.settings,
  }
  const main = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  writeFileSync(join(config, 'main.cf'), `${main.join('\n')}\n`)
  writeFileSync(join(config, 'master.cf'), masterCf(port, options.services ?? []))
  return { config, log }
}

/** Service, type, private, unprivileged, chroot, wakeup, processes, command: no chroot, nothing that is not needed. */
function masterCf(port: number, more: readonly (readonly string[])[]): string {
  const rows = [
    [`127.0.0.1:${port}`, 'inet', 'n', '-', 'n', '-', '-', 'smtpd'],
    ['pickup', 'unix', 'n', '-', 'n', '60', '1', 'pickup'],
    ['cleanup', 'unix', 'n', '-', 'n', '-', '0', 'cleanup'],
    ['qmgr', 'unix', 'n', '-', 'n', '300', '1', 'qmgr'],
    ['tlsmgr', 'unix', '-', '-', 'n', '1000?', '1', 'tlsmgr'],
    ['rewrite', 'unix', '-', '-', 'n', '-', '-', 'trivial-rewrite'],
    ...['bounce', 'defer', 'trace'].map((name) => [name, 'unix', '-', '-', 'n', '-', '0', 'bounce']),
    ['error', 'unix', '-', '-', 'n', '-', '-', 'error'],
    ['retry', 'unix', '-', '-', 'n', '-', '-', 'error'],
    ['smtp', 'unix', '-', '-', 'n', '-', '-', 'smtp'],
    ['virtual', 'unix', '-', 'n', 'n', '-', '-', 'virtual'],
    ['anvil', 'unix', '-', '-', 'n', '-', '1', 'anvil'],
    ['proxymap', 'unix', '-', '-', 'n', '-', '-', 'proxymap'],
    ['postlog', 'unix-dgram', 'n', '-', 'n', '-', '1', 'postlogd'],
    ...more,
  ]
  return `${rows.map((row) => row.join('\t')).join('\n')}\n`
}

/** `postfix start-fg` is a shell script around it. */
const masterPid = (dir: string): number => Number(readFileSync(join(dir, 'spool', 'pid', 'master.pid'), 'utf8'))

async function readMaildir(folder: string, count: number, log: () => string): Promise<string[]> {
  const endMs = performance.now() + START_TIMEOUT_MS
  for (;;) {
    const names = namesIn(join(folder, 'new'))
    if (names.length >= count) return names.toSorted().map((name) => readFileSync(join(folder, 'new', name), 'latin1'))
    if (performance.now() > endMs) throw new Error(`${names.length} of ${count} messages arrived: ${log()}`)
    await sleep(20)
  }
}

function greets(port: number): Promise<void> {
  const endMs = performance.now() + START_TIMEOUT_MS
  const attempt = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1')
      const settle = (up: boolean): void => {
        socket.destroy()
        resolve(up)
      }
      socket.once('data', (chunk: Buffer) => settle(chunk.toString().startsWith('220')))
      socket.once('error', () => settle(false))
      socket.once('close', () => settle(false))
    })
  return (async () => {
    while (!(await attempt())) {
      if (performance.now() > endMs) throw new Error('no greeting')
      await sleep(50)
    }
  })()
}

function userId(name: string): number {
  return Number(spawnSync('id', ['-u', name], { encoding: 'utf8' }).stdout.trim())
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // made with the first message
  }
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
