import type { Desk } from '../admin/desk.ts'
import { type Address, parseAddress } from '../message/address.ts'

/** RFC 5321 §4.5.1: the address that reads what needs a human. */
export function postmasterOf({ config, domains }: Desk): Address {
  const postmaster = parseAddress(`postmaster@${domains[0] ?? config.hostname}`)
  if (postmaster === undefined) throw new TypeError('a domain without a postmaster')
  return postmaster
}
