/** How a user comes to an address and keys (S1–S4), and a domain to its authority. */
import { fail, ok, type Result } from '../base/result.ts'
import { domainOf, type Address, type Domain } from '../message/address.ts'
import { type KeyKind, MAIL_KEYS, type MailKeys } from '../protection/key-kinds.ts'
import { parseCertificate } from '../protection/smime/x509/certificate.ts'
import type { Certificate, OwnKey, SecretKeys, StandardName } from '../protection/standard.ts'
import { addAccount, findAccount, type Account, type AccountSource } from '../store/accounts.ts'
import { audit } from '../store/audit.ts'
import type { Store } from '../store/database.ts'
import type { Tx } from '../store/schema.ts'
import type { TrustAnchors } from './anchors.ts'
import { createAuthority, generateKey, issueMailCertificate } from './certificate-authority.ts'
import { type OpenpgpKeys, makeOpenpgpKey } from './openpgp-keys.ts'
import type { PrivateKeys } from './private-keys.ts'
import type { PublicKeys } from './public-keys.ts'

export interface EnrolDeps {
  readonly store: Store
  readonly privateKeys: PrivateKeys
  readonly publicKeys: PublicKeys
  readonly anchors: TrustAnchors
  /** The domains whose addresses we give out. */
  readonly domains: readonly Domain[]
}

export interface KeyOrder {
  readonly address: Address
  /** The first signs; see `policy.signers`. */
  readonly algorithms: readonly MailKeys[]
  readonly openpgp: OpenpgpKeys
  readonly validityDays: number
  readonly nowMs: number
  /** For the audit row. */
  readonly actor: string
}

/** Why an address or a key is not given. `taken`: somebody has, or once had, this address. */
export type EnrolProblem = 'not-our-domain' | 'taken' | 'no-such-user'

export interface Enrolled {
  readonly account: Account
  /** One, or more where the keys are several. */
  readonly certificates: readonly Certificate[]
}

/**
 * Gives `address` to a new user: account, key pairs, certificates from the domain's authority, an OpenPGP certificate and
 * audit row, in one transaction. Generating the keys may take a second. `source`: who knows the password, if not we;
 * `entryId`: which user there it is.
 */
export async function enrol(
  deps: EnrolDeps,
  order: KeyOrder & {
    readonly passwordHash: string
    readonly source?: AccountSource
    readonly entryId?: string | undefined
  },
): Promise<Result<Enrolled, EnrolProblem>> {
  const { address, passwordHash, source = 'table', entryId, nowMs } = order
  if (!deps.domains.includes(domainOf(address))) return fail('not-our-domain')
  if ((await findAccount(deps.store.db, address)) !== undefined) return fail('taken')
  const made = await makeKeys(deps, order)
  return deps.store.commit(async (tx) => {
    const account = await addAccount(tx, { address, passwordHash, source, entryId, nowMs })
    if (account === 'taken') return fail('taken')
    await keepKeys(deps, tx, order, made)
    const detail = describeKeys(made)
    await audit(tx, { nowMs, actor: order.actor, operation: 'user add', subject: address, detail })
    return ok({ account, certificates: made.map((pair) => pair.certificate) })
  })
}

/** New keys and certificates for a user, of one standard or all; the old keys sign no more, but open old mail for ever. */
export async function rotateKey(
  deps: EnrolDeps,
  wanted: KeyOrder & { readonly standard?: StandardName | undefined },
): Promise<Result<Enrolled, EnrolProblem>> {
  const { address, nowMs, standard } = wanted
  const order: KeyOrder = {
    ...wanted,
    ...(standard === 'openpgp' && { algorithms: [] }),
    ...(standard === 'smime' && { openpgp: 'off' }),
  }
  const account = await findAccount(deps.store.db, address)
  if (account === undefined || account.status === 'removed') return fail('no-such-user')
  const made = await makeKeys(deps, order)
  const old = await deps.privateKeys.keysOf(address)
  const replaced = new Set(made.map(({ certificate }) => certificate.standard))
  await deps.store.commit(async (tx) => {
    for (const { certificate, retiredMs } of old)
      if (retiredMs === undefined && replaced.has(certificate.standard))
        await deps.privateKeys.retire(tx, certificate.fingerprint, nowMs)
    await keepKeys(deps, tx, order, made)
    const detail = describeKeys(made)
    await audit(tx, { nowMs, actor: order.actor, operation: 'key rotate', subject: address, detail })
  })
  return ok({ account, certificates: made.map((pair) => pair.certificate) })
}

/**
 * The authority of one of our domains, whose certificate is a trust anchor here. It is made when there is none: at `init`, or
 * with the first user of a domain that was added later.
 */
export async function establishAuthority(
  deps: EnrolDeps,
  { domain, nowMs, actor }: { readonly domain: Domain; readonly nowMs: number; readonly actor: string },
): Promise<OwnKey> {
  const known = await deps.privateKeys.authorityKey(domain)
  if (known !== undefined) return known
  const made = await createAuthority({ domain, nowMs })
  const certificate = mustParse(made.certificate)
  await deps.store.commit(async (tx) => {
    if (await deps.privateKeys.hasAuthority(tx, domain)) return // somebody was quicker
    mustHold(await deps.privateKeys.addAuthority(tx, { domain, certificate, chain: [], key: made.key, nowMs }))
    mustHold(await deps.anchors.add(tx, { encoded: certificate.encoded, source: 'own', nowMs }))
    const detail = `certificate ${certificate.fingerprint}`
    await audit(tx, { nowMs, actor, operation: 'authority create', subject: domain, detail })
  })
  const established = await deps.privateKeys.authorityKey(domain)
  if (established === undefined) throw new Error(`The authority of ${domain} is not there`)
  return established
}

/** `revocation`: what revokes the certificate, where its owner can do that alone. */
export interface MadeKey extends SecretKeys {
  readonly certificate: Certificate
  readonly revocation?: Uint8Array
}

async function makeKeys(deps: EnrolDeps, order: KeyOrder): Promise<readonly MadeKey[]> {
  const authority = await establishAuthority(deps, { ...order, domain: domainOf(order.address) })
  const kinds = order.algorithms.flatMap((name): readonly KeyKind[] => MAIL_KEYS[name])
  const openpgp = order.openpgp === 'off' ? [] : [makeOpenpgpKey({ ...order, profile: order.openpgp })]
  const issued = await Promise.all(
    kinds.map(async (kind) => {
      const { publicKey, privateKey: key } = await generateKey(kind)
      const { address, nowMs, validityDays } = order
      const wanted = { address, publicKey, nowMs, validityDays }
      return { certificate: mustParse(await issueMailCertificate(issuer(authority), wanted)), key }
    }),
  )
  return [...issued, ...openpgp]
}

/** Into 221 and 222. */
export async function keepKeys(
  deps: Pick<EnrolDeps, 'privateKeys' | 'publicKeys'>,
  tx: Tx,
  { address, nowMs }: Pick<KeyOrder, 'address' | 'nowMs'>,
  made: readonly MadeKey[],
): Promise<void> {
  for (const pair of made) {
    const { certificate } = pair
    mustHold(await deps.privateKeys.add(tx, { ...pair, address, chain: [], nowMs }))
    await deps.publicKeys.add(tx, { address, certificate, trust: 'own', source: 'own', nowMs })
  }
}

const describeKeys = (made: readonly MadeKey[]): string =>
  made.map(({ certificate }) => `${certificate.algorithm}, certificate ${certificate.fingerprint}`).join('; ')

const issuer = ({ certificate, key }: OwnKey) => ({ certificate: certificate.encoded, key })

/** We have just made it ourselves. */
function mustParse(encoded: Uint8Array): Certificate {
  const parsed = parseCertificate(encoded)
  if (!parsed.ok) throw new Error(`A certificate that we have issued cannot be read: ${parsed.error}`)
  return parsed.value
}

function mustHold<T>(result: Result<T>): void {
  if (!result.ok) throw new Error(result.error)
}
