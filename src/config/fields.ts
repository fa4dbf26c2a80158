/** Kinds of values that a setting can have. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { parseDomain, type Domain } from '../message/address.ts'
import { MAIL_KEYS, type MailKeys } from '../protection/key-kinds.ts'

/** A mail domain; comes out in lower-case A-labels. */
export const domainField = z.string().transform((text, context): Domain => {
  const domain = parseDomain(text)
  if (domain !== undefined) return domain
  context.addIssue({ code: 'custom', message: `"${text}" is no domain name; write one like example.org` })
  return z.NEVER
})

/** A domain, or `*` for all that have no row of their own. */
export const routedDomainField = z.string().transform((text, context): Domain | '*' => {
  const domain = text === '*' ? text : parseDomain(text)
  if (domain !== undefined) return domain
  context.addIssue({ code: 'custom', message: `"${text}" is no domain name; write one like example.org, or '*'` })
  return z.NEVER
})

const NEXT_HOP = /^(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?$/

/** `host:port`, `host` or `[IPv6]:port`. */
export const nextHopField = z
  .string()
  .regex(NEXT_HOP, { error: 'is no next hop; write host:port, or [IPv6 address]:port' })

const SOCKET_PATH = /^\/[\x21-\x7e]{1,100}$/
const LMTP_HOST = /^(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):\d{1,5}$/

/** The path of a UNIX socket, or `host:port`: LMTP must not be at port 25, and has no other of its own (RFC 2033). */
export const lmtpField = z.string().refine((text) => SOCKET_PATH.test(text) || LMTP_HOST.test(text), {
  error: 'is no place for LMTP; write the absolute path of a socket, or host:port',
})

const RESOLVER = /^(?:[0-9.]{7,15}(?::\d{1,5})?|\[[0-9a-fA-F:.]{2,45}\](?::\d{1,5})?|[0-9a-fA-F:.]{2,45})$/

/** `address` or `address:port` of a name server. */
export const resolverField = z
  .string()
  .regex(RESOLVER, { error: 'is no address of a name server; write 127.0.0.1:53 or [::1]:53' })

const mailKeys = z.enum(Object.keys(MAIL_KEYS) as [MailKeys, ...MailKeys[]])

/** Keys that a user is given; one name, or a list of them, comes out as a list. */
export const mailKeysField = z
  .union([mailKeys, z.array(mailKeys).min(1)])
  .transform((given): readonly MailKeys[] => (typeof given === 'string' ? [given] : [...new Set(given)]))

/** `address/prefix`. */
export const networkField = z.string().refine(isNetwork, { error: 'is no network; write 10.1.0.0/16 or fd00::/8' })

/** A network of servers that send for others too, and what mail of ours carries. */
export const sharedNetworkField = z.strictObject({
  network: networkField,
  header: z
    .string()
    .regex(/^X-[A-Za-z0-9-]{1,70}$/i, { error: 'is no such name; write X- and letters, as X-Our-Mail' }),
  valueFile: z.string().min(1),
})

function isNetwork(text: string): boolean {
  const [address = '', prefix = '', more] = text.split('/')
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1
  return more === undefined && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits
}

const LDAP_URL = /^ldaps?:\/\/(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?$/

/** `ldaps://host` or `ldap://host:port`, without a path. */
export const ldapUrlField = z
  .string()
  .regex(LDAP_URL, { error: 'is no directory; write ldaps://ldap.example.org, without a path' })

const KEY_SERVER = /^https:\/\/[A-Za-z0-9.-]{1,253}(?::\d{1,5})?$/

/** `https://host`, without a path. */
export const keyServerField = z
  .string()
  .regex(KEY_SERVER, { error: 'is no key server; write https://keys.example.org, without a path' })

/** A port of ours. */
export const portField = z.int().min(0).max(65_535)

/** Whole number within limits. */
export const countField = (min: number, max: number) => z.int().min(min).max(max)
