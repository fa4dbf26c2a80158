/** Keys and certificates: what 221 and 222 hold, and how it gets in and out (S3, S4). */
import type { KeyObject } from 'node:crypto'
import { rotateKey } from '../../keys/enrol.ts'
import { readKeyFile, writeKeyFile } from '../../keys/key-file.ts'
import { type Address, domainOf, sameAddress } from '../../message/address.ts'
import type { Certificate, StandardName, TrustLevel } from '../../protection/standard.ts'
import { findAccount } from '../../store/accounts.ts'
import { audit } from '../../store/audit.ts'
import type { Tx } from '../../store/schema.ts'
import { type Desk, OperationRefused, needAddress } from '../desk.ts'
import { type KeyNote, keyNote } from './users.ts'

export interface ListedKey extends KeyNote {
  readonly address: Address
  readonly trust: TrustLevel
  readonly source: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly revokedMs?: number
  /** 221 holds the private key. */
  readonly private: boolean
}

/** Of one address, or of all. */
export async function listKeys(desk: Desk, input: { address?: string | undefined }): Promise<readonly ListedKey[]> {
  const stored =
    input.address === undefined
      ? await desk.publicKeys.list()
      : (await desk.publicKeys.known(needAddress(input.address))).slice()
  const ours = new Set((await desk.privateKeys.list()).map((note) => note.certificate.fingerprint))
  return stored.map(({ certificate, address, trust, source, revokedMs }) => ({
    address,
    ...keyNote(certificate),
    trust,
    source,
    notBeforeMs: certificate.notBeforeMs,
    notAfterMs: certificate.notAfterMs,
    ...(revokedMs === undefined ? {} : { revokedMs }),
    private: ours.has(certificate.fingerprint),
  }))
}

export interface ImportedKey extends KeyNote {
  readonly address: Address
  readonly private: boolean
}

/**
 * Takes the certificates of a file (PEM, DER, PKCS#12) into 222, as confirmed by an administrator, and a private key in
 * it into 221 when it is one of our users'. All of it or nothing.
 */
export async function importKeys(
  desk: Desk,
  input: { file: Uint8Array; password?: string | undefined; address?: string | undefined },
): Promise<readonly ImportedKey[]> {
  const read = readKeyFile(input.file, input.password)
  if (!read.ok) throw new OperationRefused(read.error)
  const { certificates, keys } = read.value
  const forPeople = certificates.filter((each) => !each.isAuthority)
  if (forPeople.length === 0)
    throw new OperationRefused('The file has authority certificates only; use "trust add" for these')
  const chain = certificates.filter((each) => each.isAuthority && !each.selfIssued)
  const asked = input.address === undefined ? undefined : needAddress(input.address)
  return desk.store.commit(async (tx) => {
    const imported: ImportedKey[] = []
    for (const certificate of forPeople) {
      const own = keys.find((pair) => pair.certificate === certificate)
      for (const address of addressesFor(certificate, asked)) {
        if (own !== undefined) await keepPrivate(desk, tx, { address, certificate, chain, key: own.key })
        const trust = own === undefined ? 'confirmed' : 'own'
        await desk.publicKeys.add(tx, { address, certificate, trust, source: 'admin', nowMs: desk.clock.nowMs() })
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
  pair: { address: Address; certificate: Certificate; chain: readonly Certificate[]; key: KeyObject },
): Promise<void> {
  const account = desk.domains.includes(domainOf(pair.address)) ? await findAccount(tx, pair.address) : undefined
  if (account === undefined)
    throw new OperationRefused(`${pair.address} is not a user here; private keys are kept for users only`)
  const kept = await desk.privateKeys.add(tx, { ...pair, nowMs: desk.clock.nowMs() })
  if (!kept.ok) throw new OperationRefused(kept.error)
}

export interface ExportedKey extends KeyNote {
  readonly address: Address
  /** Public: PEM. With the private key: PKCS#12. */
  readonly file: Uint8Array
}

/** The newest usable certificate of an address; `withPrivate` also gives its private key, under a password. */
export async function exportKey(
  desk: Desk,
  input: { address: string; standard: StandardName; withPrivate?: { password: string } | undefined },
): Promise<ExportedKey> {
  const address = needAddress(input.address)
  const nowMs = desk.clock.nowMs()
  const { withPrivate } = input
  if (withPrivate === undefined) {
    const usable = await desk.publicKeys.encryptionCertificates(address, nowMs)
    const certificate = usable.find((each) => each.standard === input.standard)
    if (certificate === undefined) throw new OperationRefused(`No usable ${input.standard} key of ${address} is known`)
    return { address, ...keyNote(certificate), file: writeKeyFile({ certificate }) }
  }
  const keys = await desk.privateKeys.keysOf(address)
  const own = keys.find((each) => each.certificate.standard === input.standard)
  if (own === undefined) throw new OperationRefused(`There is no private key of ${address} here`)
  if (withPrivate.password === '')
    throw new OperationRefused('A private key leaves only under a password; give one with --password-stdin')
  await desk.store.commit((tx) =>
    note(desk, tx, 'key export', own.certificate.fingerprint, `${address}, with private key`),
  )
  return { address, ...keyNote(own.certificate), file: writeKeyFile({ ...own, password: withPrivate.password }) }
}

/** New keys; the old ones sign no more, and open old mail for ever. */
export async function rotateKeys(
  desk: Desk,
  input: { address: string },
): Promise<{ address: Address; keys: readonly KeyNote[] }> {
  const address = needAddress(input.address)
  const { algorithm: algorithms, certificateValidityDays: validityDays } = desk.config.keys
  const made = await rotateKey(desk, {
    address,
    algorithms,
    validityDays,
    nowMs: desk.clock.nowMs(),
    actor: desk.actor,
  })
  if (!made.ok) throw new OperationRefused(`There is no user ${address} in a domain with an authority`)
  return { address, keys: made.value.certificates.map(keyNote) }
}

/** From now on nothing is encrypted to it, nothing signed with it, and no signature by it believed. */
export async function revokeKey(desk: Desk, input: { fingerprint: string }): Promise<void> {
  const fingerprint = input.fingerprint.toLowerCase().replaceAll(':', '')
  const nowMs = desk.clock.nowMs()
  await desk.store.commit(async (tx) => {
    const bindings = await desk.publicKeys.revoke(tx, fingerprint, nowMs)
    const retired = await desk.privateKeys.retire(tx, fingerprint, nowMs)
    if (bindings + retired === 0)
      throw new OperationRefused(`There is no key ${fingerprint}; "sealpost key list" names them`)
    await note(desk, tx, 'key revoke', fingerprint, `${bindings} addresses`)
  })
}

function note(desk: Desk, tx: Tx, operation: string, subject: string, detail: string): Promise<void> {
  return audit(tx, { nowMs: desk.clock.nowMs(), actor: desk.actor, operation, subject, detail })
}
