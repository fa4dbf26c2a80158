/** The public-key store (222): which certificates are known for an address, local or not, and which may be used. */
import { equalBytes } from '../base/bytes.ts'
import { addressKey, parseAddress, sameAddress, type Address } from '../message/address.ts'
import { readCertificate, standardNamed } from '../protection/jobs.ts'
import type { Certificate, KnownCertificate, StandardName, TrustLevel } from '../protection/standard.ts'
import {
  certificateBytes,
  certificatesOf,
  keepCertificate,
  listCertificates,
  removeCertificate,
  renewCertificate,
  revokeCertificate,
  revokeCertificatesOf,
  SEEN_STEP_MS,
  type CertificateRow,
  type Kept,
} from '../store/certificates.ts'
import type { Store } from '../store/database.ts'
import { renewPrivateKeyRow } from '../store/private-key-rows.ts'
import type { Tx } from '../store/schema.ts'
import { ChangeCache } from './change-cache.ts'

/** Addresses whose certificates are kept parsed; those without any count too. */
const CACHE_ADDRESSES_MAX = 10_000

/** Where a certificate came from. */
export type CertificateSource = 'own' | 'admin' | 'chain' | 'dns' | 'wkd' | 'vks' | 'hkp' | 'harvested'

/** A certificate as 222 holds it for one address. */
export interface StoredCertificate extends KnownCertificate {
  readonly address: Address
  readonly source: string
  readonly firstSeenMs: number
  readonly lastSeenMs: number
  /** Set by an administrator; what was signed after it is not believed, and nothing is encrypted to it any more. */
  readonly revokedMs?: number
}

/** A certificate for an address, and why it is believed to be theirs. */
interface Binding {
  readonly address: Address
  readonly certificate: Certificate
  readonly trust: TrustLevel
  readonly source: CertificateSource
  readonly nowMs: number
}

export class PublicKeys {
  readonly #store: Store
  /** What is kept of the same key and says all that this one does: a mail brings part of a key, cut for one address. */
  readonly #addsNothingTo = new WeakMap<Certificate, Uint8Array>()
  readonly #cache: ChangeCache<readonly StoredCertificate[]>

  constructor(store: Store) {
    this.#store = store
    this.#cache = new ChangeCache({
      changes: store.changes,
      noun: 'certificates',
      entriesMax: CACHE_ADDRESSES_MAX,
      load: (key) => this.#load(key),
    })
  }

  /** All of an address, highest trust first; candidates, expired and revoked ones included, so that they can be judged. */
  known(address: Address): Promise<readonly StoredCertificate[]> {
    return this.#cache.get(addressKey(address))
  }

  /**
   * Those to which mail may be encrypted at `atMs`, best first: higher trust before lower, then in the order of `standards`,
   * then the one that was issued last. Never a candidate, a revoked one, one out of its time, one of a kind that we cannot encrypt to, or one that is
   * held; and none of these hides a good one.
   */
  async encryptionCertificates(
    address: Address,
    atMs: number,
    standards: readonly StandardName[] = [],
  ): Promise<readonly Certificate[]> {
    const usable = usableAt(await this.known(address), atMs)
    const held = heldAmong(usable)
    return usable
      .filter((each) => !held.has(each))
      .toSorted(
        (a, b) =>
          TRUST_RANK[a.trust] - TRUST_RANK[b.trust] ||
          standards.indexOf(a.certificate.standard) - standards.indexOf(b.certificate.standard) ||
          byIssue(b) - byIssue(a),
      )
      .map(({ certificate }) => certificate)
  }

  /** Whether there will be such ones in one of `standards`, and there is none yet. */
  async notYetValid(address: Address, atMs: number, standards: readonly StandardName[]): Promise<boolean> {
    const known = (await this.known(address)).filter(({ certificate }) => standards.includes(certificate.standard))
    const begins = known.map(({ certificate }) => certificate.notBeforeMs).filter((beginMs) => beginMs > atMs)
    return usableAt(known, atMs).length === 0 && begins.some((beginMs) => usableAt(known, beginMs).length > 0)
  }

  /** As `known`, to verify signatures by: one that was only found vouches for nobody while it is held. */
  async toVerify(address: Address, atMs: number): Promise<readonly StoredCertificate[]> {
    const known = await this.known(address)
    const held = heldAmong(usableAt(known, atMs))
    return known.map((each) => (each.trust === 'found' && held.has(each) ? { ...each, trust: 'candidate' } : each))
  }

  /**
   * A candidate that could be encrypted to, where the address has no better key: neither one that is usable, nor one that is
   * held, nor one that was revoked here.
   */
  async claimed(address: Address, fingerprint: string, atMs: number): Promise<Certificate | undefined> {
    const known = await this.known(address)
    if (known.some(({ revokedMs }) => revokedMs !== undefined) || usableAt(known, atMs).length > 0) return undefined
    const candidates = known.filter((each) => each.trust === 'candidate' && isEncryptable(each, atMs))
    return candidates.find(({ certificate }) => certificate.fingerprint === fingerprint)?.certificate
  }

  /** Fingerprints of those that would be usable, did they not come as a surprise: see `heldAmong`. */
  async held(address: Address, atMs: number): Promise<ReadonlySet<string>> {
    const held = heldAmong(usableAt(await this.known(address), atMs))
    return new Set([...held].map(({ certificate }) => certificate.fingerprint))
  }

  /**
   * For a user's own copy of what they send, one of each standard that they sign in: the first signer's certificate, or
   * another of theirs where that only signs.
   */
  async certificatesOfSender(
    signers: readonly Certificate[],
    sender: Address,
    atMs: number,
  ): Promise<readonly Certificate[]> {
    const usable = await this.encryptionCertificates(sender, atMs)
    return [...Map.groupBy(signers, ({ standard }) => standard)].flatMap(([standard, [signer]]) => {
      const ours = usable.filter((each) => each.standard === standard)
      return ours.find(({ fingerprint }) => fingerprint === signer?.fingerprint) ?? ours.slice(0, 1)
    })
  }

  /**
   * Whether `add` would change nothing: the address has the very certificate, by the same trust or a higher one, and was seen
   * to have it not long ago. Most mails bring what the one before has brought, and this asks memory only.
   */
  async hasSeen({ address, certificate, trust, source, nowMs }: Binding): Promise<boolean> {
    const { fingerprint, encoded } = certificate
    const seen = (await this.known(address)).find((each) => each.certificate.fingerprint === fingerprint)
    if (seen === undefined || TRUST_RANK[seen.trust] > TRUST_RANK[trust]) return false
    const isFresh = seen.source !== source || nowMs < seen.lastSeenMs + SEEN_STEP_MS
    return isFresh && [encoded, this.#addsNothingTo.get(certificate)].some((each) => isSame(each, seen.certificate))
  }

  /**
   * Binds a certificate to an address. A lower trust never replaces a higher one, and a revoked one stays revoked. Of one that
   * is known, here or for another address, what both copies say is kept, wherever it is. `changed` says that an address which had a believed certificate already has another one now: somebody should be told;
   * `held`, that this one is not used for it (see `held`).
   */
  async add(
    tx: Tx,
    binding: Binding,
  ): Promise<{ readonly kept: Kept; readonly changed: boolean; readonly held: boolean }> {
    const { certificate, ...rest } = binding
    const before = await certificatesOf(tx, binding.address)
    const { standard, fingerprint } = certificate
    const { encoded } = await this.#merged(tx, certificate)
    const kept = await keepCertificate(tx, { ...rest, standard, fingerprint, encoded })
    const row = before.find((each) => each.fingerprint === fingerprint)
    // when it was seen last is not noted as a change
    if (row !== undefined && row.lastSeenMs + SEEN_STEP_MS <= rest.nowMs) this.#cache.forget(addressKey(rest.address))
    const believed = ({ trust, revokedMs }: CertificateRow): boolean => trust !== 'candidate' && revokedMs === null
    const changed =
      kept !== 'seen' &&
      rest.trust !== 'candidate' &&
      before.some((row) => row.standard === standard && row.fingerprint !== fingerprint && believed(row))
    const now = changed ? (await certificatesOf(tx, binding.address)).flatMap(toStored) : []
    const heldNow = [...heldAmong(usableAt(now, binding.nowMs))]
    return { kept, changed, held: heldNow.some((each) => each.certificate.fingerprint === fingerprint) }
  }

  /** What the certificate and the one that is known say together; where that is news, it is kept in 222 and 221. */
  async #merged(tx: Tx, update: Certificate): Promise<Certificate> {
    const { standard, fingerprint } = update
    const { merge } = standardNamed(standard)
    const encoded = merge === undefined ? undefined : await certificateBytes(tx, fingerprint)
    const known = encoded === undefined ? undefined : readCertificate({ standard, encoded })
    const merged = known?.ok === true ? merge?.(known.value, update) : undefined
    if (merged?.ok !== true || known?.ok !== true) return update
    if (equalBytes(merged.value.encoded, known.value.encoded)) {
      this.#addsNothingTo.set(update, known.value.encoded)
      return known.value
    }
    await renewCertificate(tx, fingerprint, merged.value.encoded)
    await renewPrivateKeyRow(tx, fingerprint, merged.value.encoded)
    return merged.value
  }

  /** All bindings, by address. */
  async list(): Promise<readonly StoredCertificate[]> {
    return (await listCertificates(this.#store.db)).flatMap(toStored)
  }

  /** For every address it is bound to; an earlier revocation keeps its time. Returns the number of bindings. */
  revoke(tx: Tx, fingerprint: string, atMs: number): Promise<number> {
    return revokeCertificate(tx, fingerprint, atMs)
  }

  /** All of one address, for it alone: it is somebody else's from now on. Returns the number of bindings. */
  revokeAllOf(tx: Tx, address: Address, atMs: number): Promise<number> {
    return revokeCertificatesOf(tx, address, atMs)
  }

  /** Forgets the certificate for one address, or for all. Returns the number of bindings. */
  remove(tx: Tx, fingerprint: string, address?: Address): Promise<number> {
    return removeCertificate(tx, fingerprint, address)
  }

  async #load(key: string): Promise<readonly StoredCertificate[]> {
    const address = parseAddress(key)
    return address === undefined ? [] : (await certificatesOf(this.#store.db, address)).flatMap(toStored)
  }
}

const isSame = (encoded: Uint8Array | undefined, { encoded: kept }: Certificate): boolean =>
  encoded !== undefined && equalBytes(encoded, kept)

function usableAt(known: readonly StoredCertificate[], atMs: number): readonly StoredCertificate[] {
  const revoked = new Set(
    known.filter((each) => each.revokedMs !== undefined).map((each) => each.certificate.keyFingerprint),
  )
  return known.filter(
    (each) => each.trust !== 'candidate' && !revoked.has(each.certificate.keyFingerprint) && isEncryptable(each, atMs),
  )
}

const isEncryptable = ({ address, certificate }: StoredCertificate, atMs: number): boolean =>
  stillNames(certificate, address) &&
  standardNamed(certificate.standard).encryptionAlgorithm(certificate, atMs) !== undefined

/** The owner may have revoked the name by which the key came to the address. One without names was bound to it by hand. */
const stillNames = ({ addresses }: Certificate, address: Address): boolean =>
  addresses.length === 0 || addresses.some((each) => sameAddress(each, address))

/**
 * Changed keys are held: those that only an anchor vouches for, or that were only found, while another one is in its time
 * that was known before or that an administrator has confirmed, when none of these is by the same authority. Any of many
 * authorities could have been talked into it (decisions 0030, 0046). Such a key is used when it is confirmed, or when the
 * others have run out or are revoked.
 */
function heldAmong(usable: readonly StoredCertificate[]): ReadonlySet<StoredCertificate> {
  const isSettled = ({ trust }: StoredCertificate): boolean => trust === 'own' || trust === 'confirmed'
  const accepted = usable.filter(isSettled)
  const vouchedFor = usable.filter((each) => !isSettled(each)).toSorted((a, b) => a.firstSeenMs - b.firstSeenMs)
  const held = new Set<StoredCertificate>()
  for (const one of vouchedFor) {
    const before = accepted.filter(
      (each) =>
        each.certificate.standard === one.certificate.standard &&
        (isSettled(each) || each.firstSeenMs < one.firstSeenMs),
    )
    if (before.length === 0 || before.some((each) => isVouchedAlike(each, one))) accepted.push(one)
    else held.add(one)
  }
  return held
}

/** Whether who vouched for `before` vouches for `one` too, or somebody who knows better does. */
function isVouchedAlike(before: StoredCertificate, one: StoredCertificate): boolean {
  if (before.certificate.keyFingerprint === one.certificate.keyFingerprint) return true
  if (one.trust === 'chained')
    return standardNamed(one.certificate.standard).sameIssuer(before.certificate, one.certificate)
  const bothFound = one.trust === 'found' && before.trust === 'found'
  return bothFound && (BY_THE_DOMAIN.has(one.source) || one.source === before.source)
}

/** Where the domain itself says what its users' keys are. */
const BY_THE_DOMAIN: ReadonlySet<string> = new Set<CertificateSource>(['dns', 'wkd'])

const TRUST_RANK: Readonly<Record<TrustLevel, number>> = { own: 0, confirmed: 1, chained: 2, found: 3, candidate: 4 }

const byIssue = ({ certificate }: StoredCertificate): number => certificate.notBeforeMs

/** A row whose certificate this version cannot read is as good as none. */
function toStored(row: CertificateRow): StoredCertificate[] {
  const decoded = readCertificate(row)
  if (!decoded.ok) return []
  const { address, trust, source, firstSeenMs, lastSeenMs, revokedMs } = row
  return [
    {
      certificate: decoded.value,
      address,
      trust,
      source,
      firstSeenMs,
      lastSeenMs,
      ...(revokedMs === null ? {} : { revokedMs }),
    },
  ]
}
