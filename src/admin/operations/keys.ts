/** Keys and certificates: what 221 and 222 hold, and how it gets in and out (S3, S4). */
import { rotateKey } from '../../keys/enrol.ts'
import { readKeyFile } from '../../keys/key-file.ts'
import { revokedOpenpgpKey } from '../../keys/openpgp-keys.ts'
import { type Address, domainOf, sameAddress } from '../../message/address.ts'
import { standardNamed } from '../../protection/jobs.ts'
import type { Certificate, OwnKey, StandardName, TrustLevel } from '../../protection/standard.ts'
import { findAccount } from '../../store/accounts.ts'
import { audit } from '../../store/audit.ts'
import type { Tx } from '../../store/schema.ts'
import { type Desk, OperationRefused, needAddress } from '../desk.ts'
import { type KeyNote, keyNote } from './users.ts'

export interface ListedKey extends KeyNote {
  readonly address: Address
  /** What its certificate allows. */
  readonly use: 'sign+encrypt' | 'sign' | 'encrypt' | 'nothing'
  readonly trust: TrustLevel
  readonly source: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly revokedMs?: number
  /** Another authority's than that of the key known so far: not used before it is confirmed. */
  readonly held: boolean
  /** 221 holds the private key. */
  readonly private: boolean
}

/** Of one address, or of all. */
export async function listKeys(desk: Desk, input: { address?: string | undefined }): Promise<readonly ListedKey[]> {
  const stored =
    input.address === undefined
      ? await desk.publicKeys.list()
      : (await desk.publicKeys.known(needAddress(input.address))).slice()
  const nowMs = desk.clock.nowMs()
  const heldOf = new Map<Address, ReadonlySet<string>>()
  for (const address of new Set(stored.map((each) => each.address)))
    heldOf.set(address, await desk.publicKeys.held(address, nowMs))
  const ours = new Set((await desk.privateKeys.list()).map((note) => note.certificate.fingerprint))
  return stored.map(({ certificate, address, trust, source, revokedMs }) => ({
    address,
    ...keyNote(certificate),
    use: useOf(certificate),
    trust,
    source,
    notBeforeMs: certificate.notBeforeMs,
    notAfterMs: certificate.notAfterMs,
    ...(revokedMs === undefined ? {} : { revokedMs }),
    held: heldOf.get(address)?.has(certificate.fingerprint) === true,
    private: ours.has(certificate.fingerprint),
  }))
}

function useOf({ canSign, canEncrypt }: Certificate): ListedKey['use'] {
  if (canSign) return canEncrypt ? 'sign+encrypt' : 'sign'
  return canEncrypt ? 'encrypt' : 'nothing'
}

export interface ImportedKey extends KeyNote {
  readonly address: Address
  readonly private: boolean
}

/**
 * Takes the certificates of a file (PEM, DER, PKCS#12, OpenPGP) into 222, as confirmed by an administrator, and a private key in
 * it into 221 when it is one of our users'. All of it or nothing.
 */
export async function importKeys(
  desk: Desk,
  input: { file: Uint8Array; password?: string | undefined; address?: string | undefined },
): Promise<readonly ImportedKey[]> {
  const read = readKeyFile(input.file, input.password)
  if (!read.ok) throw new OperationRefused(read.error)
  const { certificates, chain, keys } = read.value
  if (certificates.length === 0)
    throw new OperationRefused('The file has authority certificates only; use "trust add" for these')
  const asked = input.address === undefined ? undefined : needAddress(input.address)
  const nowMs = desk.clock.nowMs() // one moment: what comes in one file belongs together
  return desk.store.commit(async (tx) => {
    const imported: ImportedKey[] = []
    for (const certificate of certificates) {
      const own = keys.find((pair) => pair.certificate === certificate)
      for (const address of addressesFor(certificate, asked)) {
        if (own !== undefined) await keepPrivate(desk, tx, { ...own, address, chain, nowMs })
        const trust = own === undefined ? 'confirmed' : 'own'
        await desk.publicKeys.add(tx, { address, certificate, trust, source: 'admin', nowMs })
        await note(
          desk,
          tx,
          'key import',
          certificate.fingerprint,
          `${address}${own === undefined ? '' : ', with private key'}`,
        )
        imported.push({ address, ...keyNote(certificate), private: own !== undefined })
      }
    }
    return imported
  })
}

/** A certificate is bound to the addresses that it names; one that names none is bound to the address asked for. */
function addressesFor(certificate: Certificate, asked: Address | undefined): readonly Address[] {
  if (asked === undefined && certificate.addresses.length === 0)
    throw new OperationRefused(`${certificate.subject} names no address; say which with --address`)
  if (asked === undefined) return certificate.addresses
  if (certificate.addresses.length > 0 && !certificate.addresses.some((each) => sameAddress(each, asked)))
    throw new OperationRefused(`The certificate is for ${certificate.addresses.join(', ')}, not for ${asked}`)
  return [asked]
}

async function keepPrivate(
  desk: Desk,
  tx: Tx,
  pair: OwnKey & { readonly address: Address; readonly nowMs: number },
): Promise<void> {
  const account = desk.domains.includes(domainOf(pair.address)) ? await findAccount(tx, pair.address) : undefined
  if (account === undefined)
    throw new OperationRefused(`${pair.address} is not a user here; private keys are kept for users only`)
  const kept = await desk.privateKeys.add(tx, pair)
  if (!kept.ok) throw new OperationRefused(kept.error)
}

export interface ExportedKeys {
  readonly address: Address
  readonly keys: readonly KeyNote[]
  /** Public: PEM or armor. With the private keys: PKCS#12, or a secret key of OpenPGP. */
  readonly file: Uint8Array
}

/**
 * The certificates of an address: of our users all that they use now, or the last one that they had, so that its revocation
 * can be handed on; of others the newest that can be encrypted to. `withPrivate` also gives the private keys, under a password.
 */
export async function exportKeys(
  desk: Desk,
  input: {
    address: string
    standard: StandardName
    binary?: boolean | undefined
    withPrivate?: { password: string } | undefined
  },
): Promise<ExportedKeys> {
  const address = needAddress(input.address)
  const { standard, binary = false, withPrivate } = input
  const isAsked = ({ certificate }: OwnKey): boolean => certificate.standard === standard
  const current = (await desk.privateKeys.currentKeys(address)).filter(isAsked)
  if (withPrivate === undefined) {
    const usable = await desk.publicKeys.encryptionCertificates(address, desk.clock.nowMs())
    const former = (await desk.privateKeys.keysOf(address)).filter(isAsked).map(({ certificate }) => certificate)
    const others = [...usable.filter((each) => each.standard === standard), ...former].slice(0, 1)
    const certificates = current.length > 0 ? current.map(({ certificate }) => certificate) : others
    if (certificates.length === 0) throw new OperationRefused(`No usable ${standard} key of ${address} is known`)
    return {
      address,
      keys: certificates.map(keyNote),
      file: standardNamed(standard).writeKeyFile({ certificates, binary }),
    }
  }
  const keys = current.length > 0 ? current : (await desk.privateKeys.keysOf(address)).filter(isAsked).slice(0, 1)
  if (keys.length === 0) throw new OperationRefused(`There is no private key of ${address} here`)
  if (withPrivate.password === '')
    throw new OperationRefused('A private key leaves only under a password; give one with --password-stdin')
  await desk.store.commit(async (tx) => {
    for (const { certificate } of keys)
      await note(desk, tx, 'key export', certificate.fingerprint, `${address}, with private key`)
  })
  const notes = keys.map(({ certificate }) => keyNote(certificate))
  return {
    address,
    keys: notes,
    file: standardNamed(standard).writeKeyFile({ keys, password: withPrivate.password, binary }),
  }
}

/** New keys; the old ones sign no more, and open old mail for ever. */
export async function rotateKeys(
  desk: Desk,
  input: { address: string; standard?: StandardName | undefined },
): Promise<{ address: Address; keys: readonly KeyNote[] }> {
  const address = needAddress(input.address)
  const { algorithm: algorithms, openpgp, certificateValidityDays: validityDays } = desk.config.keys
  const made = await rotateKey(desk, {
    address,
    algorithms,
    openpgp,
    standard: input.standard,
    validityDays,
    nowMs: desk.clock.nowMs(),
    actor: desk.actor,
  })
  if (!made.ok) throw new OperationRefused(`There is no user ${address} in a domain with an authority`)
  return { address, keys: made.value.certificates.map(keyNote) }
}

/** An administrator has asked its owner: it is used from now on, whoever vouches for it. Returns the addresses. */
export async function confirmKey(desk: Desk, input: { fingerprint: string }): Promise<readonly Address[]> {
  const fingerprint = plainFingerprint(input.fingerprint)
  const nowMs = desk.clock.nowMs()
  const bindings = (await desk.publicKeys.list()).filter((each) => each.certificate.fingerprint === fingerprint)
  if (bindings.length === 0) throw new OperationRefused(noSuchKey(fingerprint))
  await desk.store.commit(async (tx) => {
    for (const { address, certificate } of bindings)
      await desk.publicKeys.add(tx, { address, certificate, trust: 'confirmed', source: 'admin', nowMs })
    await note(desk, tx, 'key confirm', fingerprint, bindings.map(({ address }) => address).join(', '))
  })
  return bindings.map(({ address }) => address)
}

const plainFingerprint = (text: string): string => text.toLowerCase().replaceAll(':', '')
const noSuchKey = (fingerprint: string): string => `There is no key ${fingerprint}; "sealpost key list" names them`

/**
 * From now on nothing is encrypted to it, nothing signed with it, and no signature by it believed. An OpenPGP certificate of
 * our own says so itself from then on, wherever it is handed out.
 */
export async function revokeKey(desk: Desk, input: { fingerprint: string }): Promise<void> {
  const fingerprint = plainFingerprint(input.fingerprint)
  const nowMs = desk.clock.nowMs()
  const revoked = await revokedOwn(desk, fingerprint, nowMs)
  await desk.store.commit(async (tx) => {
    for (const own of revoked) await desk.publicKeys.add(tx, { ...own, trust: 'own', source: 'own', nowMs })
    const bindings = await desk.publicKeys.revoke(tx, fingerprint, nowMs)
    const retired = await desk.privateKeys.retire(tx, fingerprint, nowMs)
    if (bindings + retired === 0) throw new OperationRefused(noSuchKey(fingerprint))
    await note(desk, tx, 'key revoke', fingerprint, `${bindings} addresses`)
  })
}

/** The certificate as its owner revokes it, for each user who has it; none where that is for an authority to say. */
async function revokedOwn(
  desk: Desk,
  fingerprint: string,
  nowMs: number,
): Promise<readonly { readonly address: Address; readonly certificate: Certificate }[]> {
  const notes = (await desk.privateKeys.list()).filter(
    ({ purpose, certificate }) => purpose === 'mail' && certificate.fingerprint === fingerprint,
  )
  const revoked = notes.map(async ({ owner, certificate: { standard } }) => {
    const address = needAddress(owner)
    const own = (await desk.privateKeys.keysOf(address)).find((each) => each.certificate.fingerprint === fingerprint)
    if (own === undefined || standard !== 'openpgp') return []
    const revocation = await desk.privateKeys.revocationOf(address, fingerprint)
    const certificate = revokedOpenpgpKey(own, { revocation, nowMs })
    if (!certificate.ok) throw new OperationRefused(`${fingerprint} cannot be revoked: ${certificate.error}`)
    return [{ address, certificate: certificate.value }]
  })
  return (await Promise.all(revoked)).flat()
}

function note(desk: Desk, tx: Tx, operation: string, subject: string, detail: string): Promise<void> {
  return audit(tx, { nowMs: desk.clock.nowMs(), actor: desk.actor, operation, subject, detail })
}
