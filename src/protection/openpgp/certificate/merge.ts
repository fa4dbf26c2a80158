/**
 * Two copies of one certificate become one (RFC 9580 §10.1 has no rule): everything that the owner has said, and no revocation
 * is ever lost. The result does not depend on their order, and merging again changes nothing.
 */
import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { concatBytes } from '../../../base/bytes.ts'
import { type Result, fail } from '../../../base/result.ts'
import { attempt } from '../../malformed.ts'
import { PACKET } from '../packets/packet.ts'
import { type Signature, readSignature } from '../signatures/signature-packet.ts'
import type { OpenpgpCertificate } from './certificate.ts'
import { readOpenpgpCertificate } from './read.ts'
import type { Binding, Revocation } from './self-signatures.ts'
import { SUBKEYS_MAX, type Signed, USER_IDS_MAX, readStructure, writeStructure } from './structure.ts'

/** Of one key or user id; revocations come before bindings, the newest first. */
const OWN_SIGNATURES_MAX = 200
/** What others have signed of one user id. We do not believe it, but it is the owner's to show. */
const FOREIGN_SIGNATURES_MAX = 20

/**
 * What is kept: keys and user ids that the owner has bound or revoked, with those signatures and some of other people's. All
 * else, such as what was forged or cannot be read, is left out, so that nobody can make a certificate grow without end.
 */
export function mergeCertificates(a: OpenpgpCertificate, b: OpenpgpCertificate): Result<OpenpgpCertificate> {
  if (a.fingerprint !== b.fingerprint) return fail('two different keys')
  const [one, other] = [entriesOf(a), entriesOf(b)]
  const names = new Set([...one.keys(), ...other.keys()])
  const merged = [...names].map((name) => mergeEntries([one.get(name), other.get(name)]))
  const ofType = (type: number): Entry[] => merged.filter((entry) => entry.type === type).toSorted(compareEntries)
  const [primary] = ofType(PACKET.PUBLIC_KEY)
  if (primary === undefined) return fail('no public key')
  const [users, subkeys] = [ofType(PACKET.USER_ID), ofType(PACKET.PUBLIC_SUBKEY)]
  return readOpenpgpCertificate(
    writeStructure({
      primary: written(primary),
      users: users.slice(0, USER_IDS_MAX).map(written),
      subkeys: subkeys.slice(0, SUBKEYS_MAX).map(written),
    }),
  )
}

/** The certificate without anything that its owner has not said. */
export const cleanCertificate = (certificate: OpenpgpCertificate): Result<OpenpgpCertificate> =>
  mergeCertificates(certificate, certificate)

/** A key or user id with its signatures, each under what identifies it whatever hints it carries. */
interface Entry {
  readonly type: number
  readonly body: Uint8Array
  readonly revocations: ReadonlyMap<string, Signature>
  readonly bindings: ReadonlyMap<string, Signature>
  readonly foreign: ReadonlyMap<string, Signature>
}

function entriesOf(certificate: OpenpgpCertificate): ReadonlyMap<string, Entry> {
  const { primary, users } = readStructure(certificate.encoded)
  const foreignOf = foreignSignatures(certificate, [primary, ...users])
  const entry = (
    type: number,
    body: Uint8Array,
    bindings: readonly Binding[],
    revocations: readonly Revocation[],
  ): readonly [string, Entry] => {
    const name = nameOf(type, body)
    const byId = (found: readonly { readonly signature: Signature }[]) =>
      new Map(found.map(({ signature }) => [identityOf(signature), signature]))
    const foreign = new Map((foreignOf.get(name) ?? []).map((signature) => [identityOf(signature), signature]))
    return [name, { type, body, bindings: byId(bindings), revocations: byId(revocations), foreign }]
  }
  return new Map([
    ...certificate.components.map(({ packet, primary: isPrimary, bindings, revocations }) =>
      isPrimary
        ? entry(PACKET.PUBLIC_KEY, packet.body, certificate.directBindings, revocations)
        : entry(PACKET.PUBLIC_SUBKEY, packet.body, bindings, revocations),
    ),
    ...certificate.userIds.map(({ body, certifications, revocations }) =>
      entry(PACKET.USER_ID, body, certifications, revocations),
    ),
  ])
}

/** By what they are about. What claims to be the owner's and was not found to be is forged, or of no use. */
function foreignSignatures(
  { fingerprint, components }: OpenpgpCertificate,
  signed: readonly Signed[],
): ReadonlyMap<string, readonly Signature[]> {
  const keyId = Buffer.from(components[0]?.packet.keyId ?? []).toString('hex')
  const isForeign = ({ issuerFingerprint, issuerKeyId }: Signature): boolean =>
    issuerFingerprint === undefined
      ? issuerKeyId !== undefined && issuerKeyId !== keyId
      : issuerFingerprint !== fingerprint
  return new Map(
    signed.map(({ type, body, signatures }) => [
      nameOf(type, body),
      signatures.flatMap((each) => {
        const read = attempt(() => readSignature(each))
        return read.ok && isForeign(read.value) ? [read.value] : []
      }),
    ]),
  )
}

function mergeEntries(entries: readonly (Entry | undefined)[]): Entry {
  const found = entries.filter((entry) => entry !== undefined)
  const union = (of: (entry: Entry) => ReadonlyMap<string, Signature>): ReadonlyMap<string, Signature> => {
    const all = new Map<string, Signature>()
    for (const [id, signature] of found.flatMap((entry) => [...of(entry)])) {
      const other = all.get(id)
      all.set(id, other === undefined ? signature : betterHints(signature, other))
    }
    return all
  }
  const [{ type, body }] = found as [Entry, ...Entry[]]
  return {
    type,
    body,
    revocations: union(({ revocations }) => revocations),
    bindings: union(({ bindings }) => bindings),
    foreign: union(({ foreign }) => foreign),
  }
}

/** A signature of a subkey that it belongs here may stand among the hints: the copy that has more is kept. */
const betterHints = (a: Signature, b: Signature): Signature =>
  a.body.length === b.body.length ? (Buffer.compare(a.body, b.body) < 0 ? a : b) : a.body.length > b.body.length ? a : b

function written({ type, body, revocations, bindings, foreign }: Entry): Signed {
  const own = [...inOrder(revocations), ...inOrder(bindings)].slice(0, OWN_SIGNATURES_MAX)
  const others = inOrder(foreign).slice(0, FOREIGN_SIGNATURES_MAX)
  return { type, body, signatures: [...own, ...others].map((signature) => signature.body) }
}

/** The newest first. */
const inOrder = (signatures: ReadonlyMap<string, Signature>): readonly Signature[] =>
  [...signatures.values()].toSorted((a, b) => (b.createdMs ?? 0) - (a.createdMs ?? 0) || Buffer.compare(a.body, b.body))

/** Keys by their age, which is in front of their bodies; user ids by the age of their first certification. */
function compareEntries(a: Entry, b: Entry): number {
  return firstMs(a) - firstMs(b) || Buffer.compare(a.body, b.body)
}

const firstMs = ({ type, bindings }: Entry): number =>
  type === PACKET.USER_ID ? Math.min(...[...bindings.values()].map(({ createdMs = 0 }) => createdMs)) : 0

const nameOf = (type: number, body: Uint8Array): string => `${type} ${hash('sha256', body)}`

const identityOf = ({ version, trailer, salt, values }: Signature): string =>
  hash('sha256', concatBytes([Uint8Array.of(version), trailer, salt, values]))
