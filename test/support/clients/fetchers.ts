/** Mail programs that fetch: everything that is there, which stays there. */
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { run, runWell } from './run.ts'
import { withCrlf } from './same-mail.ts'
import { muttOnScreen, muttSettings, put } from './senders.ts'
import type { Terminal } from './three-providers.ts'

/** `stls`: port 110; `tls`: port 995. */
export type FetchWay = 'stls' | 'tls'

export interface Fetcher {
  readonly name: string
  /** Programs and the Debian packages that bring them. */
  readonly packages: Readonly<Record<string, string>>
  readonly ways: readonly FetchWay[]
  /** In the order of the mailbox, with CRLF line ends. */
  fetch(terminal: Terminal, way: FetchWay): Promise<Buffer[]>
}

const curl: Fetcher = {
  name: 'curl',
  packages: { curl: 'curl' },
  ways: ['stls', 'tls'],
  async fetch(terminal, way) {
    const list = await curlPop(terminal, way, '')
    const count = list.toString('latin1').match(/^\d+ \d+\r$/gm)?.length ?? 0
    const messages: Buffer[] = []
    for (let number = 1; number <= count; number++) messages.push(await curlPop(terminal, way, String(number)))
    return messages
  },
}

/** RETR of a number, LIST of '', or another command. */
export async function curlPop(
  { home, ports, address, password, anchor }: Terminal,
  way: FetchWay,
  what: string,
  options: readonly string[] = [],
): Promise<Buffer> {
  const url = way === 'tls' ? `pop3s://localhost:${ports.pop3s}/${what}` : `pop3://localhost:${ports.pop3}/${what}`
  return runWell(home, 'curl', [
    '-sS',
    '--cacert',
    anchor,
    '--ssl-reqd',
    '-u',
    `${address}:${password}`,
    ...options,
    url,
  ])
}

/** Fetches the only mail there is, and deletes it. */
export async function curlTakes(terminal: Terminal, way: FetchWay = 'tls'): Promise<Buffer> {
  const message = await curlPop(terminal, way, '1')
  await curlPop(terminal, way, '', ['-X', 'DELE 1', '--head'])
  return message
}

const fetchmail: Fetcher = {
  name: 'fetchmail',
  packages: { fetchmail: 'fetchmail' },
  ways: ['stls', 'tls'],
  async fetch(terminal, way) {
    const { home, ports, address, password, anchor } = terminal
    const out = mkdtempSync(join(home, 'inbox-'))
    const service = way === 'tls' ? `service ${ports.pop3s}` : `service ${ports.pop3}`
    const server = `poll localhost proto pop3 uidl ${service} user "${address}" password "${password}"`
    const tls = `${way === 'tls' ? 'ssl' : 'sslproto "TLS1.2+"'} sslcertck sslcertfile "${anchor}"`
    put(
      terminal,
      '.fetchmailrc',
      `${server} ${tls} keep fetchall no rewrite no mimedecode mda "cat > ${out}/$(date +%s%N)"\n`,
    )
    const args = ['--invisible', '--nosyslog', '--pidfile', join(home, 'pid'), '-i', join(home, 'ids')]
    await runWell(home, 'fetchmail', args)
    return readFolder(out)
  },
}

const getmail: Fetcher = {
  name: 'getmail',
  packages: { getmail: 'getmail6' },
  ways: ['tls'],
  async fetch(terminal) {
    const { home, ports, address, password, anchor } = terminal
    const out = mkdtempSync(join(home, 'inbox-'))
    const rc = `
[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = ${ports.pop3s}
username = ${address}
password = ${password}
ca_certs = ${anchor}
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat > ${out}/$(date +%s%N)")
allow_root_commands = true
[options]
delete = false
delivered_to = false
received = false
`
    put(terminal, 'getmailrc', rc)
    await runWell(home, 'getmail', [`--getmaildir=${home}`, `--rcfile=${home}/getmailrc`])
    return readFolder(out)
  },
}

const mutt: Fetcher = {
  name: 'mutt',
  packages: { mutt: 'mutt', script: 'bsdutils' },
  ways: ['stls', 'tls'],
  async fetch(terminal, way) {
    const { home, ports } = terminal
    put(terminal, '.muttrc', muttSettings(terminal, 'tls'))
    const url = way === 'tls' ? `pops://localhost:${ports.pop3s}` : `pop://localhost:${ports.pop3}`
    const out = mkdtempSync(join(home, 'inbox-'))
    await run(home, 'rm', ['-r', out]) // mutt makes it
    await muttOnScreen(
      terminal,
      `-f ${url} -e 'set sort=mailbox-order'`,
      `<tag-pattern>.<enter><tag-prefix><copy-message>${out}<enter><exit>`,
    )
    const fetched = [...readFolder(join(out, 'new')), ...readFolder(join(out, 'cur'))]
    return fetched.map((message) => Buffer.from(message.toString('latin1').replace(MUTTS_OWN, ''), 'latin1'))
  },
}

/** Fields that mutt writes for itself at the end of the header. */
const MUTTS_OWN = /(?:^(?:Status|Content-Length|Lines): .*\r\n)+(?=\r\n)/m

function readFolder(folder: string): Buffer[] {
  const names = readdirSync(folder).toSorted()
  return names.map((name) => withCrlf(readFileSync(join(folder, name))))
}

export const FETCHERS: readonly Fetcher[] = [curl, fetchmail, getmail, mutt]
