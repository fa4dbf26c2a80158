/** Where users come from, as the configuration says. */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { Desk } from '../admin/desk.ts'
import { isLoopback } from '../base/peer-address.ts'
import { readSecret } from '../base/secret-file.ts'
import type { Config } from '../config/load.ts'
import { FileSource } from '../keys/user-sources/file-source.ts'
import type { LdapServer } from '../keys/user-sources/ldap/connection.ts'
import type { LdapSource } from '../keys/user-sources/ldap/ldap-source.ts'
import type { UserSource } from '../keys/user-sources/user-source.ts'
import { Users } from '../keys/user-sources/users.ts'

type Ldap = NonNullable<Config['accounts']['ldap']>

/** Rejects when a file that the configuration names cannot be read. */
export async function usersOf(desk: Desk): Promise<Users> {
  const { accounts, keys } = desk.config
  const sources: UserSource[] = []
  if (accounts.file !== null) sources.push(new FileSource({ ...desk, file: accounts.file }))
  if (accounts.ldap !== null) sources.push(await ldapSource(desk, accounts.ldap))
  const { algorithm: algorithms, openpgp, certificateValidityDays: validityDays } = keys
  return new Users({ ...desk, sources, newKeys: { algorithms, openpgp, validityDays } })
}

async function ldapSource({ clock }: Desk, ldap: Ldap): Promise<LdapSource> {
  const settings = {
    ...ldap,
    servers: ldap.urls.map((url) => serverOf(url, ldap.startTls)),
    ca: ldap.caFile === null ? undefined : await readFile(ldap.caFile, 'utf8'),
    service: ldap.bindDn === null ? undefined : { dn: ldap.bindDn, password: await servicePassword(ldap) },
    timeoutMs: ldap.timeoutSeconds * 1000,
    cacheMs: ldap.cacheSeconds * 1000,
  }
  const { LdapSource: Source } = await import('../keys/user-sources/ldap/ldap-source.ts')
  return new Source(settings, clock)
}

/** An empty one would sign in as nobody, and the directory would say that all is well (RFC 4513). */
async function servicePassword({ bindPasswordFile }: Ldap): Promise<string> {
  if (bindPasswordFile === null) throw new Error('accounts.ldap.bindDn is set, but bindPasswordFile is not')
  return readSecret(bindPasswordFile)
}

function serverOf(url: string, startTls: Ldap['startTls']): LdapServer {
  const { protocol, hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  if (protocol === 'ldaps:') return { host, port: Number(port || 636), security: 'tls' }
  const isHere = host === 'localhost' || (isIP(host) !== 0 && isLoopback(host))
  const clear = startTls === 'never' || (startTls === 'auto' && isHere)
  return { host, port: Number(port || 389), security: clear ? 'plain' : 'starttls' }
}
