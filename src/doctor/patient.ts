/** What the checks look at. */
import type { X509Certificate } from 'node:crypto'
import type { DnsAsk } from '../base/dns-client.ts'
import type { Config } from '../config/load.ts'
import type { Fetch } from '../keys/http-fetch.ts'
import type { Domain } from '../message/address.ts'

export interface Patient {
  readonly config: Config
  readonly domains: readonly Domain[]
  readonly nowMs: number
  /** As the server asks: an answer is secure when the name server is believed. */
  readonly ask: DnsAsk
  /** An answer is secure when the name server says so, believed or not. */
  readonly askBelieving: DnsAsk
  readonly fetch: Fetch
  /** The listeners' own, then what stands behind it in the file; empty when it cannot be read. */
  readonly certificates: readonly X509Certificate[]
}
