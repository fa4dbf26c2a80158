/**
 * What the Web Key Directory of our own domains answers (draft-koch-openpgp-webkey-service): the current keys of an active
 * user to whoever knows the address, and to everything else the same 404.
 */
import type { Address, Domain } from '../message/address.ts'
import { readWkdRequest, wkdHash } from '../protocol/wkd.ts'

/** Proxies and browsers may keep an answer so long; a revocation is not known earlier to those who ask through them. */
const KEPT_SECONDS = 600

export interface DirectoryDeps {
  readonly domains: readonly Domain[]
  /** The active user whose local part has this hash, and is `local` where that is known. */
  userNamed(domain: Domain, hash: string, local: string | undefined): Promise<Address | undefined>
  /** Their current certificates, each with this address alone; empty when there is none. */
  publicKeysOf(address: Address): Promise<Uint8Array>
  armor(keys: Uint8Array): Uint8Array
}

export interface Asked {
  readonly method: string
  /** As the Host field has it. */
  readonly host: string
  /** Path and query. */
  readonly target: string
  readonly accept: string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** Whose keys they are. */
  readonly address?: Address
}

export async function answerOf(deps: DirectoryDeps, { method, host, target, accept }: Asked): Promise<Answer> {
  if (method !== 'GET' && method !== 'HEAD') return plain(405, { allow: 'GET, HEAD' })
  const asked = readWkdRequest(withoutPort(host), target)
  if (asked === undefined || !deps.domains.includes(asked.domain)) return plain(404)
  if (asked.kind === 'policy') return { ...plain(200), body: NOTHING } // no flag of the draft is about us
  if (asked.localPart !== undefined && wkdHash(asked.localPart) !== asked.hash) return plain(404)
  const address = await deps.userNamed(asked.domain, asked.hash, asked.localPart)
  const keys = address === undefined ? NOTHING : await deps.publicKeysOf(address)
  if (address === undefined || keys.length === 0) return plain(404)
  const type = wantsArmor(accept) ? 'application/pgp-keys' : 'application/octet-stream'
  return {
    status: 200,
    headers: { ...OPEN, 'content-type': type, 'cache-control': `max-age=${KEPT_SECONDS}`, vary: 'Accept' },
    body: wantsArmor(accept) ? deps.armor(keys) : keys,
    address,
  }
}

/** Any web page may ask: what is here is public. */
const OPEN = { 'access-control-allow-origin': '*', 'x-content-type-options': 'nosniff' }
const NOTHING = new Uint8Array(0)

const plain = (status: number, more: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  headers: { ...OPEN, 'content-type': 'text/plain; charset=utf-8', ...more },
  body: status === 200 ? NOTHING : Buffer.from(status === 404 ? 'Not found\n' : 'Method not allowed\n'),
})

const withoutPort = (host: string): string => host.replace(/:\d{1,5}$/, '')

/** The directory's form is binary; text is for those who say that they take nothing else. */
function wantsArmor(accept: string): boolean {
  const types = accept.split(',').map((each) => each.split(';')[0]?.trim().toLowerCase())
  const takesBinary = types.some(
    (type) => type === '*/*' || type === 'application/*' || type === 'application/octet-stream',
  )
  return types.includes('application/pgp-keys') && !takesBinary
}
