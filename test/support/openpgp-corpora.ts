/** Everybody's OpenPGP keys (../shared/corpora), and messages that are no mails, put into one. */
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fromLatin1 } from '../../src/base/bytes.ts'
import { parsePart } from '../../src/message/parse.ts'
import type { TransferableKey } from '../../src/protection/openpgp/certificate/transferable.ts'
import { readTransferableKeys } from '../../src/protection/openpgp/certificate/transferable.ts'
import { openpgp } from '../../src/protection/openpgp/openpgp.ts'
import type { KeyRing, KnownCertificate, Opened, OwnKey } from '../../src/protection/standard.ts'
import { type PackedRing, packKey, packKnown } from '../../src/protection/jobs.ts'
import { CORPORA } from './corpora.ts'

export function readKeys(pattern: string, password?: string): readonly TransferableKey[] {
  return globSync(pattern, { cwd: CORPORA }).flatMap((file) => {
    const path = join(CORPORA, file)
    if (!statSync(path).isFile()) return []
    const keys = readTransferableKeys(readFileSync(path), password)
    return keys.ok ? keys.value : []
  })
}

/** A reader with these keys, to whom all of them are confirmed. */
export function ringOf(keys: readonly TransferableKey[], passwords: readonly string[] = []): KeyRing {
  const own = keys.flatMap(({ certificate, subkeys }): OwnKey[] => {
    const key = subkeys.find(({ fingerprint }) => fingerprint === certificate.fingerprint) ?? subkeys[0]
    const [handle] = key?.handles ?? []
    return handle === undefined ? [] : [{ certificate, chain: [], key: handle, subkeys }]
  })
  return {
    decryptionKeys: own,
    known: keys.map(({ certificate }): KnownCertificate => ({ certificate, trust: 'confirmed' })),
    anchors: [],
    secrets: passwords.map((password) => ({ kind: 'password', password })),
  }
}

/** Opens an OpenPGP message as the second part of multipart/encrypted (RFC 3156 §4). */
export function openAsMail(message: Uint8Array, ring: KeyRing): Opened {
  const head =
    'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b\r\n\r\n' +
    '--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n' +
    '--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n'
  const body = Buffer.from(message).toString('base64').replaceAll(/.{76}/g, '$&\r\n')
  return openpgp.open(parsePart(fromLatin1(`${head}${body}\r\n--b--\r\n`)), ring)
}

/** Where mails come from that are encrypted to somebody whose key is there too. */
const PEOPLE: readonly [pattern: string, password?: string][] = [
  ['kde-*/**/gnupg_home/{pub,sec}ring.gpg'],
  ['notmuch/test/openpgp4-secret-key.asc'],
  ['protected-headers-draft/*.asc'],
  ['autocrypt/doc/appendix/*.{pub,sec}.asc'],
  ['chatmail-core/test-data/key/*-secret.asc'],
]

/** One reader with the keys of all of them, to whom all are confirmed; SHA-1 and RSA with 1024 bits count. */
export function everybodyOfOpenpgp(): PackedRing {
  const ring = ringOf(PEOPLE.flatMap(([pattern, password]) => readKeys(pattern, password)))
  return {
    decryptionKeys: ring.decryptionKeys.map(packKey),
    known: ring.known.map(packKnown),
    anchors: [],
    allowWeak: true,
  }
}
