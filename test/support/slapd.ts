/** Debian's slapd as the directory of a provider: configuration and entries in a temporary folder, on free ports of 127.0.0.1. */
import { spawn, spawnSync } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { needsAll } from './apt.ts'
import { freePorts } from './free-port.ts'

export const BASE_DN = 'dc=example'
export const SERVICE_DN = `cn=sealpost,${BASE_DN}`
const ROOT_DN = `cn=root,${BASE_DN}`
const START_TIMEOUT_MS = 60_000

export interface LdapPerson {
  readonly uid: string
  readonly mail: string
  readonly password: string
  /** In `employeeNumber`, which takes any text. */
  readonly alias?: string
  /** In `jpegPhoto`, which takes any octets, as objectGUID does. */
  readonly guid?: Buffer
}

export interface Slapd extends AsyncDisposable {
  /** For StartTLS, and in clear. */
  readonly port: number
  /** With TLS from the first byte. */
  readonly tlsPort: number
  readonly servicePassword: string
  add(person: LdapPerson): void
  remove(uid: string): void
  /** The entry stays. */
  setMail(uid: string, mail: string): void
  stop(): Promise<void>
  start(): Promise<void>
  /** What it has said: connections, binds and searches. */
  log(): string
}

export const needsSlapd = (): { skip: string | false } => needsAll({ slapd: 'slapd', ldapadd: 'ldap-utils' })

export async function startSlapd(
  tls: { readonly certificatePem: string; readonly keyPem: string },
  servicePassword: string,
  rootPassword: string,
): Promise<Slapd> {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-slapd-'))
  const { port, tlsPort } = await freePorts(['port', 'tlsPort'])
  const server = writeConfiguration(dir, tls, rootPassword)
  const plain = `ldap://127.0.0.1:${port}`
  let running: { stop(): Promise<void> } | undefined
  let words = ''
  const start = async (): Promise<void> => {
    const urls = `${plain} ldaps://127.0.0.1:${tlsPort}`
    const child = spawn('/usr/sbin/slapd', ['-d', '256', '-f', server.file, '-h', urls, ...server.user])
    child.stderr.on('data', (chunk: Buffer) => (words += chunk.toString()))
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    running = {
      async stop() {
        child.kill()
        await gone
      },
    }
    await answers(port, () => words)
  }
  const run = (command: string, args: readonly string[], input = ''): void => {
    const all = ['-x', '-H', plain, '-D', ROOT_DN, '-w', rootPassword, ...args]
    const { status, stderr } = spawnSync(command, all, { input, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${command}: ${stderr}`)
  }
  const stop = async (): Promise<void> => {
    await running?.stop()
    running = undefined
  }
  await start()
  run('ldapadd', [], entries(servicePassword))
  return {
    port,
    tlsPort,
    servicePassword,
    start,
    stop,
    log: () => words,
    add: (person) => run('ldapadd', [], entryOf(person)),
    setMail: (uid, mail) =>
      run('ldapmodify', [], `dn: uid=${uid},ou=people,${BASE_DN}\nchangetype: modify\nreplace: mail\nmail: ${mail}\n`),
    remove: (uid) => run('ldapdelete', [`uid=${uid},ou=people,${BASE_DN}`]),
    async [Symbol.asyncDispose]() {
      await stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function writeConfiguration(
  dir: string,
  { certificatePem, keyPem }: { readonly certificatePem: string; readonly keyPem: string },
  rootPassword: string,
): { readonly file: string; readonly user: readonly string[] } {
  const file = (name: string): string => join(dir, name)
  mkdirSync(file('db'))
  writeFileSync(file('certificate.pem'), certificatePem)
  writeFileSync(file('key.pem'), keyPem)
  const schemas = ['core', 'cosine', 'inetorgperson'].map((name) => `include /etc/ldap/schema/${name}.schema`)
  const lines = [
    ...schemas,
    `pidfile ${file('pid')}`,
    `TLSCertificateFile ${file('certificate.pem')}`,
    `TLSCertificateKeyFile ${file('key.pem')}`,
    'modulepath /usr/lib/ldap',
    'moduleload back_mdb',
    'database mdb',
    `directory ${file('db')}`,
    `suffix ${BASE_DN}`,
    `rootdn ${ROOT_DN}`,
    `rootpw ${rootPassword}`,
    'maxsize 33554432',
    // nobody else may search: who is not signed in as the service finds nothing
    'access to attrs=userPassword by anonymous auth by * none',
    `access to * by dn.exact=${SERVICE_DN} read by anonymous auth by * none`,
  ]
  writeFileSync(file('slapd.conf'), `${lines.join('\n')}\n`)
  if (process.getuid?.() !== 0) return { file: file('slapd.conf'), user: [] }
  const passwd = readFileSync('/etc/passwd', 'utf8')
  const [, uid, gid] = /^openldap:[^:]*:(\d+):(\d+):/m.exec(passwd) ?? []
  if (uid === undefined) return { file: file('slapd.conf'), user: [] }
  for (const name of ['', 'db', 'certificate.pem', 'key.pem', 'slapd.conf'])
    chownSync(join(dir, name), Number(uid), Number(gid))
  return { file: file('slapd.conf'), user: ['-u', 'openldap', '-g', 'openldap'] }
}

const entries = (servicePassword: string): string => `dn: ${BASE_DN}
objectClass: domain
dc: example

dn: ou=people,${BASE_DN}
objectClass: organizationalUnit
ou: people

dn: ${SERVICE_DN}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: sealpost
userPassword: ${servicePassword}
`

const entryOf = ({ uid, mail, password, alias, guid }: LdapPerson): string => `dn: uid=${uid},ou=people,${BASE_DN}
objectClass: inetOrgPerson
uid: ${uid}
cn: ${uid}
sn: ${uid}
mail: ${mail}
userPassword: ${password}
${alias === undefined ? '' : `employeeNumber: ${alias}\n`}${guid === undefined ? '' : `jpegPhoto:: ${guid.toString('base64')}\n`}`

async function answers(port: number, words: () => string): Promise<void> {
  for (const endMs = performance.now() + START_TIMEOUT_MS; performance.now() < endMs; await sleep(20)) {
    const socket = connect(port, '127.0.0.1')
    const up = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    if (up === true) return
  }
  throw new Error(`slapd did not start: ${words()}`)
}
