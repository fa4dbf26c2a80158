/**
 * What is known of the programs of those whom our users write to: what a mail with a valid signature has said and shown,
 * or else what their certificate says. RFC 8551 §2.7.1.
 */
import { type Address, addressKey, parseAddress } from '../message/address.ts'
import { keysFor } from '../policy/recipient-keys.ts'
import { standardNamed } from '../protection/jobs.ts'
import type { Learned } from '../protection/learn.ts'
import type {
  Abilities,
  BroughtCertificate,
  Certificate,
  WrittenCipher,
  StandardName,
  StatedAbilities,
} from '../protection/standard.ts'
import { CIPHERS_BEST_FIRST, KEY_TRANSPORTS, SIGNATURES, wordsAmong } from '../protection/strength.ts'
import {
  type AbilityRow,
  type Shown,
  abilitiesOf,
  forgetAbilities,
  isNews,
  keepAbilities,
  listAbilities,
} from '../store/abilities.ts'
import type { Store } from '../store/database.ts'
import type { AbilityFact, Tx } from '../store/schema.ts'
import { ChangeCache } from './change-cache.ts'
import type { PublicKeys } from './public-keys.ts'

/** A signature may say that it was made this much later than our clock is; later than that nothing is learned from it. */
export const SIGNED_AHEAD_MAX_MS = 24 * 60 * 60_000
const CACHE_ADDRESSES_MAX = 10_000
const SILENT_MAX_MS = 35 * 24 * 60 * 60_000

/** What is remembered of one address, for people to see. */
export interface Remembered extends Partial<Abilities> {
  readonly address: Address
  readonly standard: StandardName
  /** The cipher of their own encryption, under their signature. */
  readonly usedCipher?: WrittenCipher
  /** What their newest mail with an Autocrypt field has said; anybody could write it in their name. */
  readonly autocrypt?: AutocryptWish
  /** The same of the newest that their domain has vouched for (DMARC). */
  readonly autocryptAuthenticated?: AutocryptWish
  /** When they signed, or wrote, the newest mail that showed something. */
  readonly signedMs: number
}

export interface ClaimedKeys {
  /** By the newest mail in their name. */
  readonly byMail?: Certificate
  /** By the newest one that their domain has vouched for. */
  readonly byAuthenticatedMail?: Certificate
}

export interface AutocryptWish {
  readonly fingerprint: string
  readonly preferEncrypt: NonNullable<BroughtCertificate['preferEncrypt']>
  /** The Date of that mail, or when it came if that was earlier. */
  readonly saidMs: number
}

/** Whom a mail goes to, as far as we know them. */
export interface Correspondent {
  /** Those to which mail may be encrypted now, best first. */
  readonly certificates: readonly Certificate[]
  /** By standard; missing where nothing is known. */
  readonly abilities: Readonly<Partial<Record<StandardName, Abilities>>>
  /** The keys that their own mail asked to be answered with, where there is no better one. Nobody vouches for them. */
  readonly claimed?: ClaimedKeys
}

export class Correspondents {
  readonly #store: Store
  readonly #publicKeys: PublicKeys
  readonly #cache: ChangeCache<{ readonly rows: readonly AbilityRow[]; readonly remembered: readonly Remembered[] }>

  constructor(store: Store, publicKeys: PublicKeys) {
    this.#store = store
    this.#publicKeys = publicKeys
    this.#cache = new ChangeCache({
      changes: store.changes,
      noun: 'abilities',
      entriesMax: CACHE_ADDRESSES_MAX,
      load: async (key) => {
        const address = parseAddress(key)
        const rows = address === undefined ? [] : await abilitiesOf(store.db, address)
        return { rows, remembered: gather(rows) }
      },
    })
  }

  /**
   * Of what a mail said and of what the certificate says, the mail counts; our own users can do what we can. `standards`:
   * which of equally trusted keys are the better ones.
   */
  async get(address: Address, atMs: number, standards: readonly StandardName[] = []): Promise<Correspondent> {
    const certificates = await this.#publicKeys.encryptionCertificates(address, atMs, standards)
    const known = await this.#publicKeys.known(address)
    const { remembered } = await this.#cache.get(addressKey(address))
    const abilities: Partial<Record<StandardName, Abilities>> = {}
    for (const standard of new Set([...known, ...remembered].map((each) => standardOf(each)))) {
      const own = known.some((each) => each.trust === 'own' && each.certificate.standard === standard)
      const merged = own
        ? standardNamed(standard).abilities
        : merge(
            standard,
            remembered.find((each) => each.standard === standard),
            certificates.filter((each) => each.standard === standard),
            atMs,
          )
      if (merged !== undefined) abilities[standard] = merged
    }
    const claimed = certificates.length === 0 ? await this.#claimed(address, remembered, atMs) : undefined
    return { certificates, abilities, ...(claimed !== undefined && { claimed }) }
  }

  async #claimed(address: Address, remembered: readonly Remembered[], atMs: number): Promise<ClaimedKeys | undefined> {
    const keyOf = async (fact: 'autocrypt' | 'autocryptAuthenticated'): Promise<Certificate | undefined> => {
      const wish = remembered.find((each) => each[fact]?.preferEncrypt === 'mutual')?.[fact]
      return wish && this.#publicKeys.claimed(address, wish.fingerprint, atMs)
    }
    const [byMail, byAuthenticatedMail] = [await keyOf('autocrypt'), await keyOf('autocryptAuthenticated')]
    if (byMail === undefined && byAuthenticatedMail === undefined) return undefined
    return { ...(byMail && { byMail }), ...(byAuthenticatedMail && { byAuthenticatedMail }) }
  }

  /**
   * What a mail of theirs says, or does not say, of how they want to be answered (Autocrypt Level 1, release 1.1: the newest
   * counts, and it is forgotten once their mail has said nothing for 35 days). `writtenMs`: the Date of the mail. What was
   * said by mail that their domain has vouched for, no other mail takes back.
   */
  async noteAutocrypt(
    tx: Tx,
    author: Address,
    said: (Omit<AutocryptWish, 'saidMs'> & { readonly standard: StandardName }) | undefined,
    mail: { readonly writtenMs: number; readonly nowMs: number; readonly authenticated: boolean },
  ): Promise<void> {
    const { nowMs, authenticated } = mail
    const signedMs = Math.min(mail.writtenMs, nowMs)
    const keep = (standard: StandardName, facts: Readonly<Partial<Record<AbilityFact, unknown>>>): Promise<boolean> =>
      this.#keep(tx, { address: author, standard, facts, signedMs, nowMs })
    if (said !== undefined) {
      const { standard, ...wish } = said
      await keep(standard, { autocrypt: wish, ...(authenticated && { 'autocrypt-authenticated': wish }) })
      return
    }
    const isOld = (wish: AutocryptWish | undefined): boolean =>
      wish !== undefined && signedMs > wish.saidMs + SILENT_MAX_MS
    const { remembered } = await this.#cache.get(addressKey(author))
    for (const { standard, autocrypt, autocryptAuthenticated } of remembered) {
      if (isOld(autocrypt)) await keep(standard, { autocrypt: null })
      if (authenticated && isOld(autocryptAuthenticated)) await keep(standard, { 'autocrypt-authenticated': null })
    }
  }

  /** In the transaction that stores the mail. Returns whether we know now what we did not. */
  learn(tx: Tx, author: Address, learned: Learned, nowMs: number): Promise<boolean> {
    const { standard, signedMs, states, cipher, outerSignature, headerProtection } = learned
    if (signedMs > nowMs + SIGNED_AHEAD_MAX_MS) return Promise.resolve(false)
    const facts = {
      ...(states !== undefined && { states }),
      ...(cipher !== undefined && { cipher }),
      ...(outerSignature !== undefined && { 'outer-signature': outerSignature }),
      ...(headerProtection !== undefined && { 'header-protection': headerProtection }),
    }
    return this.#keep(tx, { address: author, standard, facts, signedMs, nowMs })
  }

  /** Nearly every mail shows what the one before has shown: that is known from memory. */
  async #keep(tx: Tx, shown: Shown): Promise<boolean> {
    const key = addressKey(shown.address)
    const { rows } = await this.#cache.get(key)
    if (!isNews(rows, shown)) return false
    this.#cache.forget(key) // it may be news of the time only, which is not noted as a change
    return keepAbilities(tx, shown)
  }

  /** Of one address, or of all. */
  async remembered(address?: Address): Promise<readonly Remembered[]> {
    const { db } = this.#store
    return gather(address === undefined ? await listAbilities(db) : await abilitiesOf(db, address))
  }

  /** The next mail to them is as to a stranger. Returns how many facts were known. */
  forget(tx: Tx, address: Address): Promise<number> {
    return forgetAbilities(tx, address)
  }
}

const standardOf = (known: { standard: StandardName } | { certificate: Certificate }): StandardName =>
  'certificate' in known ? known.certificate.standard : known.standard

function merge(
  standard: StandardName,
  remembered: Remembered | undefined,
  certificates: readonly Certificate[],
  atMs: number,
): Abilities | undefined {
  const stated = remembered?.ciphers === undefined ? statedBy(certificates, atMs) : undefined
  if (remembered === undefined && stated === undefined) return undefined
  const { usedCipher, ...known } = { ciphers: [], keyTransports: [], signatures: [], ...stated, ...remembered }
  if (usedCipher === undefined || known.ciphers.includes(usedCipher)) return known
  // having used one is no reason to read none of the others
  const others = known.ciphers.length > 0 ? known.ciphers : [standardNamed(standard).commonCipher]
  return { ...known, ciphers: [...others, usedCipher] }
}

/** Of each key that a mail may be encrypted to: the device with an old key may have an old program. */
function statedBy(certificates: readonly Certificate[], atMs: number): StatedAbilities | undefined {
  const [first, ...others] = keysFor('both', certificates, atMs).map((each) =>
    standardNamed(each.standard).abilitiesOf(each),
  )
  if (first === undefined || others.includes(undefined)) return undefined
  const common = <Word>(of: (stated: StatedAbilities) => readonly Word[]): readonly Word[] =>
    of(first).filter((word) => others.every((each) => each !== undefined && of(each).includes(word)))
  return {
    ciphers: common((each) => each.ciphers),
    keyTransports: common((each) => each.keyTransports),
    signatures: common((each) => each.signatures),
  }
}

/** One for each address and standard; the rows of one stand together. */
function gather(rows: readonly AbilityRow[]): Remembered[] {
  const gathered = new Map<string, Remembered>()
  for (const row of rows) {
    const key = `${addressKey(row.address)} ${row.standard}`
    const before = gathered.get(key) ?? { address: row.address, standard: row.standard, signedMs: row.signedMs }
    gathered.set(key, { ...withFact(before, row), signedMs: Math.max(before.signedMs, row.signedMs) })
  }
  return [...gathered.values()]
}

function withFact(before: Remembered, { fact, value, signedMs }: AbilityRow): Remembered {
  switch (fact) {
    case 'states': {
      const written = value as Readonly<Record<keyof StatedAbilities, unknown>>
      return {
        ...before,
        ciphers: wordsAmong(CIPHERS_BEST_FIRST, written.ciphers),
        keyTransports: wordsAmong(KEY_TRANSPORTS, written.keyTransports),
        signatures: wordsAmong(SIGNATURES, written.signatures),
      }
    }
    case 'cipher': {
      const [usedCipher] = wordsAmong(CIPHERS_BEST_FIRST, [value])
      return usedCipher === undefined ? before : { ...before, usedCipher }
    }
    case 'outer-signature':
      return { ...before, outerSignature: value === true }
    case 'header-protection':
      return { ...before, headerProtection: value === true }
    case 'autocrypt':
      return value === null ? before : { ...before, autocrypt: wishOf(value, signedMs) }
    case 'autocrypt-authenticated':
      return value === null ? before : { ...before, autocryptAuthenticated: wishOf(value, signedMs) }
  }
}

const wishOf = (value: unknown, saidMs: number): AutocryptWish => ({
  ...(value as Omit<AutocryptWish, 'saidMs'>),
  saidMs,
})
