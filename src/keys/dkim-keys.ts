/**
 * The DKIM keys of our domains. Like the private keys of users they are seen only here; outside they are handles, at rest they
 * are sealed and bound to their domain and selector. A new one signs when its record is in the DNS, not before.
 */
import { type KeyObject, createPrivateKey, generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import type { DkimSigner } from '../authentication/dkim-sign.ts'
import type { DkimAlgorithm } from '../authentication/dkim-signature.ts'
import { utf8 } from '../base/bytes.ts'
import type { Domain } from '../message/address.ts'
import { openSmall, sealSmall } from '../store/bytes/sealing.ts'
import type { Store } from '../store/database.ts'
import { type DkimKeyRow, addDkimKeyRow, dkimKeyRows, useDkimKeyRow } from '../store/dkim-keys.ts'
import type { Tx } from '../store/schema.ts'
import { ChangeCache } from './change-cache.ts'

/** Domains whose keys are kept open in memory. */
const CACHE_DOMAINS_MAX = 1_000

/** RFC 8301 §3.2; longer ones do not fit into one string of a TXT record. */
const RSA_BITS = 2_048

export interface DkimKeyNote {
  readonly domain: Domain
  readonly selector: string
  readonly algorithm: DkimAlgorithm
  readonly createdMs: number
  readonly used: boolean
  /** Name and text of its TXT record. */
  readonly recordName: string
  readonly record: string
}

export interface NewDkimKey {
  readonly algorithm: DkimAlgorithm
  readonly privateKey: KeyObject
  readonly publicKey: Uint8Array
}

export async function makeDkimKey(algorithm: DkimAlgorithm): Promise<NewDkimKey> {
  if (algorithm === 'rsa-sha256') {
    const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: RSA_BITS })
    return { algorithm, privateKey, publicKey: publicKey.export({ type: 'spki', format: 'der' }) }
  }
  const { privateKey, publicKey } = await promisify(generateKeyPair)('ed25519')
  return { algorithm, privateKey, publicKey: Buffer.from(publicKey.export({ format: 'jwk' }).x as string, 'base64url') }
}

export class DkimKeys {
  readonly #store: Store
  readonly #cache: ChangeCache<readonly DkimSigner[]>

  constructor(store: Store) {
    this.#store = store
    this.#cache = new ChangeCache({
      changes: store.changes,
      noun: 'dkim-keys',
      entriesMax: CACHE_DOMAINS_MAX,
      load: (domain) => this.#load(domain as Domain),
    })
  }

  /** Those that sign for the domain now; none when it has none. */
  signersOf(domain: Domain): Promise<readonly DkimSigner[]> {
    return this.#cache.get(domain)
  }

  async list(domain?: Domain): Promise<readonly DkimKeyNote[]> {
    return (await dkimKeyRows(this.#store.db, domain)).map(toNote)
  }

  /** It does not sign yet. False when the domain has such a selector already. */
  add(tx: Tx, domain: Domain, selector: string, key: NewDkimKey, createdMs: number): Promise<boolean> {
    const { algorithm, publicKey } = key
    const dataKey = this.#store.dataKeys.current()
    const plain = key.privateKey.export({ type: 'pkcs8', format: 'der' })
    const sealed = sealSmall(dataKey, 'dkim-key', plain, boundTo(domain, selector))
    plain.fill(0)
    return addDkimKeyRow(tx, { domain, selector, algorithm, publicKey, dataKeyId: dataKey.id, sealed, createdMs })
  }

  /** From now on it signs, or signs no more. False when there is no such key. */
  use(tx: Tx, domain: Domain, selector: string, used: boolean): Promise<boolean> {
    return useDkimKeyRow(tx, { domain, selector, used })
  }

  async #load(domain: Domain): Promise<readonly DkimSigner[]> {
    const rows = (await dkimKeyRows(this.#store.db, domain)).filter(({ used }) => used)
    return Promise.all(rows.map((row) => this.#open(row)))
  }

  /** Throws when the row was changed or moved to another domain: that must be heard. */
  async #open({ domain, selector, algorithm, dataKeyId, sealed }: DkimKeyRow): Promise<DkimSigner> {
    const plain = openSmall(await this.#store.dataKeys.byId(dataKeyId), 'dkim-key', sealed, boundTo(domain, selector))
    const key = createPrivateKey({ key: Buffer.from(plain), format: 'der', type: 'pkcs8' })
    plain.fill(0)
    return { domain, selector, algorithm, key }
  }
}

function toNote({ domain, selector, algorithm, createdMs, used, publicKey }: DkimKeyRow): DkimKeyNote {
  const kind = algorithm === 'rsa-sha256' ? 'rsa' : 'ed25519'
  return {
    domain,
    selector,
    algorithm,
    createdMs,
    used,
    recordName: `${selector}._domainkey.${domain}`,
    record: `v=DKIM1; k=${kind}; p=${Buffer.from(publicKey).toString('base64')}`,
  }
}

/** A sealed key that is moved to another row does not open there. */
const boundTo = (domain: Domain, selector: string): Uint8Array => utf8(`dkim\n${domain}\n${selector}`)
