/** Makes a new provider in an empty folder: configuration, master key, database, authorities, TLS certificate. */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { initialConfigText } from '../../config/initial.ts'
import { createTlsCertificate } from '../../keys/certificate-authority.ts'
import { establishAuthority } from '../../keys/enrol.ts'
import { createMasterKey } from '../../keys/master-key.ts'
import { type Domain, parseDomain } from '../../message/address.ts'
import { type Desk, OperationRefused } from '../desk.ts'

export const CONFIG_FILE = 'sealpost.yaml'

/** Files only, no database yet: returns the path of the configuration file. */
export async function layFoundations(input: {
  dir: string
  domains: readonly string[]
  /** URL of the database; missing: in the folder. */
  store?: string | undefined
  /** Listen where no privilege is needed: for a first try. */
  highPorts?: boolean | undefined
  nowMs: number
}): Promise<string> {
  const dir = resolve(input.dir)
  const domains = input.domains.map(needDomain)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  if ((await readdir(dir)).length > 0) throw new OperationRefused(`${dir} is not empty; give a new or an empty folder`)
  const [first] = domains
  if (first === undefined) throw new OperationRefused('Give at least one --domain')
  await createMasterKey(dir)
  const directories = domains.map((domain) => `openpgpkey.${domain}`)
  const hosts = [...new Set([`mail.${first}`, ...directories, hostname(), 'localhost', '127.0.0.1', '::1'])]
  const tls = await createTlsCertificate({ hosts, nowMs: input.nowMs })
  await writeFile(join(dir, 'tls-certificate.pem'), tls.certificatePem)
  await writeFile(join(dir, 'tls-key.pem'), tls.keyPem, { mode: 0o600 })
  const file = join(dir, CONFIG_FILE)
  await writeFile(file, firstConfig(domains, input))
  return file
}

/** One certificate authority for each domain; its certificate is a trust anchor here. */
export async function establishAuthorities(desk: Desk): Promise<readonly { domain: Domain; fingerprint: string }[]> {
  const made = []
  for (const domain of desk.domains) {
    const { certificate } = await establishAuthority(desk, { domain, nowMs: desk.clock.nowMs(), actor: desk.actor })
    made.push({ domain, fingerprint: certificate.fingerprint })
  }
  return made
}

function needDomain(text: string): Domain {
  const domain = parseDomain(text)
  if (domain === undefined) throw new OperationRefused(`"${text}" is not a domain`)
  return domain
}

function firstConfig(
  domains: readonly Domain[],
  { store, highPorts }: { readonly store?: string | undefined; readonly highPorts?: boolean | undefined },
): string {
  return initialConfigText({
    domains: [...domains],
    ...(store !== undefined && { store: { url: store } }),
    ...(highPorts === true && { listeners: HIGH_PORTS }),
  })
}

/** Ports that need neither root nor CAP_NET_BIND_SERVICE, and look like the standard ones. */
const HIGH_PORTS = {
  mx: { port: 2525 },
  submission: { port: 2587 },
  submissions: { port: 2465 },
  pop3: { port: 2110 },
  pop3s: { port: 2995 },
}
