/**
 * The private-key store (221), the vault: the only place where private keys are seen (invariant 6). Outside they are
 * handles; at rest each is in its standard's own encoding, sealed under a data key and bound to its owner and its certificate.
 */
import { utf8 } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { ok, type Result } from '../base/result.ts'
import { addressKey, type Address, type Domain } from '../message/address.ts'
import { readCertificate, standardNamed } from '../protection/jobs.ts'
import type { Certificate, OwnKey, StandardName } from '../protection/standard.ts'
import { openSmall, sealSmall } from '../store/bytes/sealing.ts'
import type { Store } from '../store/database.ts'
import {
  addPrivateKeyRow,
  listPrivateKeyRows,
  privateKeyRowsOf,
  putAwayPrivateKeyRows,
  retirePrivateKeyRow,
  type PrivateKeyRow,
} from '../store/private-key-rows.ts'
import type { Tx } from '../store/schema.ts'
import { ChangeCache } from './change-cache.ts'

/** Owners whose keys are kept open in memory. */
const CACHE_OWNERS_MAX = 2_000

/** A private key with its history. */
export interface StoredKey extends OwnKey {
  readonly createdMs: number
  /** Since when it signs no more; it opens old mail for ever. */
  readonly retiredMs?: number
}

/** What may be told about a private key. */
export interface PrivateKeyNote {
  readonly owner: string
  readonly purpose: PrivateKeyRow['purpose']
  readonly certificate: Certificate
  readonly createdMs: number
  readonly retiredMs?: number
}

interface NewKey extends OwnKey {
  readonly nowMs: number
  /** What revokes the certificate, made together with it. */
  readonly revocation?: Uint8Array
}

export class PrivateKeys {
  readonly #store: Store
  readonly #clock: Clock
  readonly #cache: ChangeCache<readonly StoredKey[]>

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
    this.#cache = new ChangeCache({
      changes: store.changes,
      noun: 'private-keys',
      entriesMax: CACHE_OWNERS_MAX,
      load: (cacheKey) => this.#load(cacheKey),
    })
  }

  /**
   * Those that are used now: of each standard the newest that signs and what was made together with it, in the order in
   * which they were made; not retired, their certificates in their time.
   */
  async currentKeys(address: Address, nowMs = this.#clock.nowMs()): Promise<readonly OwnKey[]> {
    const usable = (await this.keysOf(address)).filter(
      ({ certificate, retiredMs }) =>
        retiredMs === undefined && certificate.notBeforeMs <= nowMs && nowMs <= certificate.notAfterMs,
    )
    const signs = ({ certificate }: OwnKey): boolean =>
      standardNamed(certificate.standard).canSignWith(certificate, nowMs)
    const ofOneStandard = Map.groupBy(usable, ({ certificate }) => certificate.standard).values()
    return [...ofOneStandard].flatMap((own) => {
      const newest = own.find(signs)
      return own.filter(({ createdMs }) => createdMs === newest?.createdMs).toReversed()
    })
  }

  /**
   * The current keys that sign, one of each kind and standard. Certificates that only decrypt go out with the signatures, so
   * that whoever answers can encrypt. `nowMs`: the moment that recipients are judged by, too.
   */
  async signingKeys(address: Address, nowMs = this.#clock.nowMs()): Promise<readonly OwnKey[]> {
    const current = await this.currentKeys(address, nowMs)
    const signing = Map.groupBy(
      current.filter(({ certificate }) => standardNamed(certificate.standard).canSignWith(certificate, nowMs)),
      ({ certificate, key }) => `${certificate.standard} ${key.asymmetricKeyType}`,
    )
    const forAnswers = current
      .map(({ certificate }) => certificate)
      .filter(({ canSign, canEncrypt }) => canEncrypt && !canSign)
    const alike = ({ certificate }: OwnKey): readonly Certificate[] =>
      forAnswers.filter(({ standard }) => standard === certificate.standard)
    return [...signing.values()]
      .flatMap((ofOneKind) => ofOneKind.slice(0, 1))
      .map((own) => ({ ...own, chain: [...own.chain, ...alike(own)] }))
  }

  /** Every one this address ever had, newest first, retired and expired ones included; nobody else's (invariant 11). */
  async decryptionKeys(address: Address): Promise<readonly OwnKey[]> {
    const opens = ({ certificate, subkeys }: OwnKey): boolean => certificate.canEncrypt || subkeys !== undefined
    return (await this.keysOf(address)).filter(opens) // of several keys one may be revoked, or have run out, and open old mail
  }

  /** All of an address, newest first. For export: the caller asks for a right and writes an audit row. */
  keysOf(address: Address): Promise<readonly StoredKey[]> {
    return this.#cache.get(cacheKey('mail', addressKey(address)))
  }

  /** The key that issues the certificates of one of our domains. */
  async authorityKey(domain: Domain): Promise<OwnKey | undefined> {
    const keys = await this.#cache.get(cacheKey('authority', domain))
    return keys.find(({ retiredMs }) => retiredMs === undefined)
  }

  /** As `tx` sees it. */
  async hasAuthority(tx: Tx, domain: Domain): Promise<boolean> {
    const rows = await privateKeyRowsOf(tx, 'authority', domain)
    return rows.some(({ retiredMs }) => retiredMs === null)
  }

  /** Certificates of all keys, by owner; no key is opened for it. */
  async list(): Promise<readonly PrivateKeyNote[]> {
    return (await listPrivateKeyRows(this.#store.db)).flatMap(toNote)
  }

  /** The same of one address, of one standard. */
  async notesOf(address: Address, standard: StandardName): Promise<readonly PrivateKeyNote[]> {
    const rows = await privateKeyRowsOf(this.#store.db, 'mail', addressKey(address))
    return rows.filter((row) => row.standard === standard).flatMap(toNote)
  }

  /** An error when the key is not the certificate's; adding the same certificate twice changes nothing. */
  add(tx: Tx, entry: NewKey & { readonly address: Address }): Promise<Result<'added' | 'known'>> {
    return this.#add(tx, 'mail', entry.address, addressKey(entry.address), entry)
  }

  addAuthority(tx: Tx, entry: NewKey & { readonly domain: Domain }): Promise<Result<'added' | 'known'>> {
    return this.#add(tx, 'authority', entry.domain, entry.domain, entry)
  }

  /** What revokes a certificate of this address, if it was made together with it. */
  async revocationOf(address: Address, fingerprint: string): Promise<Uint8Array | undefined> {
    const rows = await privateKeyRowsOf(this.#store.db, 'mail', addressKey(address))
    const row = rows.find((each) => each.fingerprint === fingerprint)
    const sealed = row?.sealedRevocation ?? null
    if (row === undefined || sealed === null) return undefined
    const dataKey = await this.#store.dataKeys.byId(row.dataKeyId)
    return openSmall(dataKey, 'revocation-certificate', sealed, boundTo(row.purpose, row.ownerKey, fingerprint))
  }

  /** From now on the key of this certificate signs no more. Returns how many there are. */
  retire(tx: Tx, fingerprint: string, atMs: number): Promise<number> {
    return retirePrivateKeyRow(tx, fingerprint, atMs)
  }

  /** The address is somebody else's from now on: its keys sign and open nothing more, and are no address's. Returns how many there are. */
  putAway(tx: Tx, address: Address, atMs: number): Promise<number> {
    return putAwayPrivateKeyRows(tx, addressKey(address), atMs)
  }

  async #add(
    tx: Tx,
    purpose: PrivateKeyRow['purpose'],
    owner: string,
    ownerKey: string,
    entry: NewKey,
  ): Promise<Result<'added' | 'known'>> {
    const { certificate, chain, nowMs } = entry
    const { standard, fingerprint } = certificate
    const secret = standardNamed(standard).writeSecret(entry)
    if (!secret.ok) return secret
    const { value: plain } = secret
    const dataKey = this.#store.dataKeys.current()
    const bound = boundTo(purpose, ownerKey, fingerprint)
    const sealed = sealSmall(dataKey, 'private-key', plain, bound)
    plain.fill(0)
    const { revocation } = entry
    const sealedRevocation =
      revocation === undefined ? null : sealSmall(dataKey, 'revocation-certificate', revocation, bound)
    const added = await addPrivateKeyRow(tx, {
      owner,
      ownerKey,
      purpose,
      standard,
      fingerprint,
      certificate: certificate.encoded,
      chain: chain.map(({ encoded }) => encoded),
      dataKeyId: dataKey.id,
      sealed,
      createdMs: nowMs,
      sealedRevocation,
    })
    return ok(added ? 'added' : 'known')
  }

  async #load(key: string): Promise<readonly StoredKey[]> {
    const purpose = key.startsWith('mail ') ? 'mail' : 'authority'
    const ownerKey = key.slice(purpose.length + 1)
    const rows = await privateKeyRowsOf(this.#store.db, purpose, ownerKey)
    return Promise.all(rows.map((row) => this.#open(row)))
  }

  /** Throws when the row was changed or moved to another owner: that is no mail's fault, and must be heard. */
  async #open(row: PrivateKeyRow): Promise<StoredKey> {
    const certificate = readCertificate({ standard: row.standard, encoded: row.certificate })
    if (!certificate.ok) throw new Error(`Private key of ${row.owner}: its certificate cannot be read`)
    const dataKey = await this.#store.dataKeys.byId(row.dataKeyId)
    const plain = openSmall(dataKey, 'private-key', row.sealed, boundTo(row.purpose, row.ownerKey, row.fingerprint))
    const keys = standardNamed(row.standard).readSecret(certificate.value, plain)
    plain.fill(0)
    if (!keys.ok) throw new Error(`Private key of ${row.owner}: ${keys.error}`)
    const chain = row.chain.flatMap((encoded) => {
      const decoded = readCertificate({ standard: row.standard, encoded })
      return decoded.ok ? [decoded.value] : []
    })
    return { certificate: certificate.value, chain, ...keys.value, createdMs: row.createdMs, ...retired(row) }
  }
}

const cacheKey = (purpose: PrivateKeyRow['purpose'], ownerKey: string): string => `${purpose} ${ownerKey}`

/** A sealed key that is moved to another row does not open there. */
const boundTo = (purpose: string, ownerKey: string, fingerprint: string): Uint8Array =>
  utf8(`${purpose}\n${ownerKey}\n${fingerprint}`)

const retired = ({ retiredMs }: PrivateKeyRow): { retiredMs?: number } => (retiredMs === null ? {} : { retiredMs })

function toNote(row: PrivateKeyRow): PrivateKeyNote[] {
  const decoded = readCertificate({ standard: row.standard, encoded: row.certificate })
  if (!decoded.ok) return []
  const { owner, purpose, createdMs } = row
  return [{ owner, purpose, certificate: decoded.value, createdMs, ...retired(row) }]
}
