/** A zone signed by ldns-signzone behind a validating unbound, on loopback: DNSSEC as it is, with nothing played. */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDnsClient } from '../../src/base/dns-client.ts'
import { freePort } from './free-port.ts'

export interface SignedDns extends AsyncDisposable {
  /** `address:port`, as `dns.resolver` takes it. */
  readonly resolver: string
}

export interface ZoneOrder {
  readonly name: string
  /** Records, one a line; names without a dot at the end are within the zone. */
  readonly records: readonly string[]
  /** `unsigned`: nobody vouches. `bogus`: its records were changed after it was signed. */
  readonly state?: 'signed' | 'unsigned' | 'bogus'
  /** For `bogus`: what is put in place of what. */
  readonly change?: readonly [from: string, to: string]
}

const UNBOUND = '/usr/sbin/unbound'

/** Options of a test. CI brings it along, so that there a missing one fails. */
export function needsUnbound(): { skip: string | false } {
  const missing = !existsSync(UNBOUND) && process.env['CI'] !== 'true'
  return { skip: missing ? 'unbound and ldnsutils are not installed' : false }
}

export async function startSignedDns(zones: readonly ZoneOrder[]): Promise<SignedDns> {
  const folder = mkdtempSync(join(tmpdir(), 'sealpost-dns-'))
  const port = await freePort()
  const anchors: string[] = []
  const sections = zones.map((zone) => {
    const { file, anchor } = writeZone(folder, zone)
    anchors.push(anchor)
    return `auth-zone:\n  name: "${zone.name}"\n  zonefile: "${file}"\n  for-downstream: no\n  for-upstream: yes\n`
  })
  writeFileSync(join(folder, 'anchors'), anchors.join(''))
  const server = `server:
  directory: "${folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: "${join(folder, 'log')}"
  do-daemonize: no
  interface: 127.0.0.1
  port: ${port}
  do-ip6: no
  module-config: "validator iterator"
  trust-anchor-file: "${join(folder, 'anchors')}"
remote-control:
  control-enable: no
`
  writeFileSync(join(folder, 'conf'), server + sections.join(''))
  const unbound = spawn(UNBOUND, ['-d', '-c', join(folder, 'conf')], { stdio: 'ignore' })
  const gone = new Promise<void>((resolve) => unbound.once('exit', () => resolve()))
  const resolver = `127.0.0.1:${port}`
  await answers(resolver, zones[0]?.name ?? '', join(folder, 'log'))
  return {
    resolver,
    async [Symbol.asyncDispose]() {
      unbound.kill()
      await gone
      rmSync(folder, { recursive: true })
    },
  }
}

function writeZone(folder: string, { name, records, state = 'signed', change }: ZoneOrder): ZoneFile {
  const file = join(folder, name)
  const head = [`$ORIGIN ${name}.`, '$TTL 60', '@ SOA ns hostmaster 1 3600 600 86400 60', '@ NS ns', 'ns A 127.0.0.1']
  writeFileSync(file, [...head, ...records, ''].join('\n'))
  if (state === 'unsigned') return { file, anchor: '' }
  const run = (command: string, args: readonly string[]): string =>
    execFileSync(command, args, { cwd: folder, encoding: 'utf8' }).trim()
  const key = run('ldns-keygen', ['-a', 'ECDSAP256SHA256', '-k', name])
  run('ldns-signzone', [file, key])
  const signed = `${file}.signed`
  if (state === 'bogus' && change !== undefined) {
    const text = readFileSync(signed, 'latin1')
    if (!text.includes(change[0])) throw new Error(`there is no ${change[0]} in ${readdirSync(folder).join(' ')}`)
    writeFileSync(signed, text.replaceAll(...change), 'latin1')
  }
  return { file: signed, anchor: `${readFileSync(join(folder, `${key}.key`), 'latin1')}\n` }
}

interface ZoneFile {
  readonly file: string
  /** The key of the zone, as a trust anchor. */
  readonly anchor: string
}

const START_MS = 30_000

async function answers(resolver: string, name: string, log: string): Promise<void> {
  const ask = createDnsClient({ server: resolver, timeoutMs: 200 })
  for (const until = Date.now() + START_MS; Date.now() < until;)
    if ((await ask(`ns.${name}`, 'A')).kind === 'records') return
  throw new Error(`unbound does not answer: ${existsSync(log) ? readFileSync(log, 'utf8') : 'no log'}`)
}
