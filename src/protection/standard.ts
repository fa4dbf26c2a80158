/**
 * The one interface behind which S/MIME and OpenPGP live. `peel.ts` and `wrap.ts` know only the list of
 * standards; no other file asks which standard it is dealing with.
 */
import type { KeyObject } from 'node:crypto'
import type { OpenSpill } from '../base/byte-range.ts'
import type { ByteSink } from '../base/byte-sink.ts'
import type { Result } from '../base/result.ts'
import type { Address } from '../message/address.ts'
import type { LargePart } from '../message/large-part.ts'
import type { HeaderField, Part } from '../message/part.ts'

export type StandardName = 'smime' | 'openpgp'

/** A public key bound to addresses: an X.509 certificate or an OpenPGP certificate. Plain data: it can be posted to a worker. */
export interface Certificate {
  readonly standard: StandardName
  /** SHA-256 over the encoding (S/MIME) or the v4/v6 fingerprint (OpenPGP); lower-case hex. */
  readonly fingerprint: string
  /** As it came: DER (S/MIME) or the binary transferable public key (OpenPGP). */
  readonly encoded: Uint8Array
  /**
   * SHA-256 of the public key, lower-case hex. Whoever holds an ECDSA-signed certificate can make another with the same
   * content and another fingerprint (s and n-s both verify): what is revoked is the key.
   */
  readonly keyFingerprint: string
  /** Addresses the key speaks for: rfc822Name SANs or user ids, comparable by `sameAddress` (message/address.ts). */
  readonly addresses: readonly Address[]
  readonly subject: string
  /** `rsa-2048`, `ec-p256`, `ed25519` … */
  readonly algorithm: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly canSign: boolean
  readonly canEncrypt: boolean
}

/**
 * A private key with the certificate it belongs to. The key is a handle (KeyObject), never bytes; it is handed out only
 * by keys/private-keys.ts (invariant 6).
 */
export interface OwnKey {
  readonly certificate: Certificate
  /** What goes out with a signature: intermediate certificates without the anchor, and the owner's for encryption. */
  readonly chain: readonly Certificate[]
  /** The certificate's own; of one with several keys the primary's. */
  readonly key: KeyObject
  /** Of a certificate with several keys (OpenPGP): each of them whose private half is here, the primary included. */
  readonly subkeys?: readonly ComponentKey[]
}

/** One of the keys of a certificate. */
export interface ComponentKey {
  /** Lower-case hex. */
  readonly fingerprint: string
  /** One; two where a classical and a post-quantum key work together. */
  readonly handles: readonly KeyObject[]
}

/** The private keys of a certificate, without what belongs to it in the message. */
export type SecretKeys = Pick<OwnKey, 'key' | 'subkeys'>

/**
 * Why a certificate of 222 is believed (behaviour.md, "Keys"). `found`: looked up where the owner of the domain, or of the
 * address, has put it. `candidate` is never used to encrypt.
 */
export type TrustLevel = 'own' | 'confirmed' | 'chained' | 'found' | 'candidate'

export interface KnownCertificate {
  readonly certificate: Certificate
  readonly trust: TrustLevel
  /** Revoked by an administrator at this time, whatever its issuer says: what was signed later is not believed. */
  readonly revokedMs?: number
}

/**
 * What opens a message besides a private key. The gateway has none: only a human who opens a file at the keyboard can tell a
 * password, or a key that was agreed on beforehand.
 */
export type SharedSecret =
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'shared-key'; readonly keyId: Uint8Array; readonly key: Uint8Array }

/** Everything that opening one message for one recipient may use. Plain data. */
export interface KeyRing {
  /** The recipient's own keys, newest first; nobody else's (invariant 11). */
  readonly decryptionKeys: readonly OwnKey[]
  readonly secrets?: readonly SharedSecret[]
  /** What 222 holds for the addresses in From and Sender. */
  readonly known: readonly KnownCertificate[]
  readonly anchors: readonly Certificate[]
  /** Algorithms and key sizes that are too weak today but are allowed here: for archives and test suites only. */
  readonly allowWeak?: boolean
  /** Authorities must keep to every duty that their standard lays on them, those too that most programs overlook. */
  readonly strictIssuers?: boolean
  /** Missing: `prefer`. */
  readonly revocation?: RevocationRule
  /** What was fetched because an earlier judgement wished for it. */
  readonly fetched?: ValidationData
}

/**
 * What is asked of a certificate that is not known to be good. `require`: it is not believed. `prefer`: it is, and the
 * reader is told. `off`: it is, and nothing is fetched. A certificate that is known to be revoked is never believed.
 */
export type RevocationRule = 'require' | 'prefer' | 'off'

/** What could be fetched to judge a certificate better. URLs are as the certificate has them: http or https. */
export type ValidationWish = StatusWish | { readonly kind: 'issuer'; readonly urls: readonly string[] }

export interface StatusWish {
  readonly kind: 'status'
  /** In the standard's own encoding. */
  readonly certificate: Uint8Array
  readonly issuer: Uint8Array
  readonly ocsp: readonly string[]
  readonly crls: readonly string[]
}

/** Fetched and not believed: whoever signed it must be known, like that of anything that comes with a mail. */
export interface ValidationData {
  /** `id` stands for the bytes, so that a list is read once in each thread. */
  readonly crls: readonly { readonly id: string; readonly encoded: Uint8Array }[]
  readonly ocspResponses: readonly Uint8Array[]
  readonly certificates: readonly Uint8Array[]
}

/** `compressed` protects nothing; it stands among the layers because it stands between them. */
export type LayerKind = 'signed' | 'encrypted' | 'compressed'

/** How a signature was judged. The order is the order of severity used for the whole mail (RFC 9787 §4.6). */
export type SignatureVerdict =
  'valid' | 'none' | 'expired' | 'untrusted' | 'unknown-key' | 'mismatch' | 'revoked' | 'invalid'

export interface SignerFinding {
  /** Cryptography only: does this signature, made by this certificate's key, cover these bytes? */
  readonly intact: boolean
  /** Missing when no certificate for the signer was found. */
  readonly certificate?: Certificate
  /** Certificates that came with the signature, for path building and for harvesting. */
  readonly carried: readonly Certificate[]
  /** Revocation lists and OCSP responses that came with it, in the standard's own encoding. */
  readonly carriedCrls?: readonly Uint8Array[]
  readonly carriedOcspResponses?: readonly Uint8Array[]
  readonly algorithm: string
  readonly signingTimeMs?: number
  /** From then on it does not count any more, whatever becomes of its certificate. */
  readonly expiresMs?: number
  /** Fingerprint of the one of its certificate's keys that made it, where there are several. */
  readonly signedBy?: string
  /** One sentence, when not intact. */
  readonly why?: string
  /** What came with the signature contradicts it: it does not count, whether or not its certificate was found. */
  readonly changed?: boolean
  /** The signature holds as far as it goes, but its algorithm or key proves nothing any more. */
  readonly weak?: boolean
  /** Its algorithm, or its certificate's kind of key, is not one of ours: nobody here can say whether it holds. */
  readonly unsupported?: boolean
  /** What the signed part says that the signer's program can do. Only there when intact. */
  readonly states?: StatedAbilities
}

/** The circumstances of a signature, and what came with it and may help to judge it; nothing is believed for having come. */
export type CameWith = Pick<
  SignerFinding,
  'carried' | 'carriedCrls' | 'carriedOcspResponses' | 'signingTimeMs' | 'expiresMs' | 'signedBy'
>

/** What opening one Cryptographic Layer (RFC 9787 §4.1) gave. Hostile input yields `broken` and why; it never throws. */
export type Opened<P = Part> =
  | {
      readonly kind: 'signed'
      readonly form: string
      readonly inner: P
      readonly signers: readonly SignerFinding[]
      /** It stood amid something that it does not protect: `inner` shows both, apart. */
      readonly partial?: boolean
    }
  | {
      readonly kind: 'decrypted'
      readonly form: string
      readonly inner: P
      readonly algorithm: string
      /** True when a tag, or a digest inside, proved that nothing was changed; CBC proves nothing. */
      readonly authenticated: boolean
      /** Its algorithm or key protects nobody any more. */
      readonly weak?: boolean
      /** Fingerprint of the certificate whose key opened it; missing when it was no certified key. */
      readonly openedBy?: string
      /** The signatures over what is inside, where one layer is made of both (OpenPGP). Missing: none of them. */
      readonly signers?: readonly SignerFinding[]
      /** It stood amid something that it does not protect: `inner` shows both, apart. */
      readonly partial?: boolean
    }
  | { readonly kind: 'decompressed'; readonly form: string; readonly inner: P; readonly algorithm: string }
  /** Looked like a layer and is none, such as certificates that nobody signed. */
  | { readonly kind: 'not-a-layer'; readonly form: string }
  | { readonly kind: 'no-key'; readonly form: string; readonly recipients: readonly string[] }
  | { readonly kind: 'broken'; readonly layer: LayerKind; readonly form: string; readonly why: string }

/** Whether a certificate may be believed for an address at a time; decided in one place per standard. */
export type TrustFinding = { readonly wishes?: readonly ValidationWish[] } & (
  | {
      readonly trusted: true
      readonly path: readonly string[]
      /** Why it is not known whether the path has been revoked; one sentence. */
      readonly unknown?: string
    }
  | { readonly trusted: false; readonly verdict: 'untrusted' | 'expired' | 'revoked'; readonly why: string }
)

/**
 * Ciphers that may be asked for: in S/MIME CBC, GCM and ChaCha20; in OpenPGP CFB with the digest inside (SEIPD version 1) and
 * OCB (version 2), which whoever reads version 2 can. What is only read for the sake of old mail is not among them.
 */
export type WrittenCipher = `aes-${128 | 192 | 256}-${'cbc' | 'cfb' | 'gcm' | 'ocb'}` | 'chacha20-poly1305'

/** What an encryption layer uses; `undefined` fields mean the standard's default for correspondents of unknown ability. */
export interface EncryptionChoice {
  readonly cipher?: WrittenCipher
  readonly keyTransport?: 'rsa-oaep' | 'rsa-pkcs1'
}

export interface SigningChoice {
  readonly form?: 'detached' | 'opaque'
  readonly signature?: 'rsa-pkcs1' | 'rsa-pss'
  readonly digest?: 'sha256' | 'sha384' | 'sha512'
  /** With which of the sender's keys, where there are several; the first where nothing is said. */
  readonly signers?: 'first' | 'all'
}

export type WrittenKeyTransport = NonNullable<EncryptionChoice['keyTransport']>
export type WrittenSignature = NonNullable<SigningChoice['signature']>

/**
 * What a correspondent's program says that it can do, in the words of the choices, best first: SMIMECapabilities
 * (RFC 8551 §2.5.2), the preferences of OpenPGP. An empty list says nothing.
 */
export interface StatedAbilities {
  /** Content ciphers that it decrypts. */
  readonly ciphers: readonly WrittenCipher[]
  readonly keyTransports: readonly WrittenKeyTransport[]
  /** Signatures that it verifies. */
  readonly signatures: readonly WrittenSignature[]
}

/** All that is known of a correspondent's program: what it says, and what its mail has shown. */
export interface Abilities extends StatedAbilities {
  /** Their mail was encrypted first and signed outside of that: they are behind a surrogate, as we are. */
  readonly outerSignature?: boolean
  /** Their mail had its header inside (RFC 9788), so they bring back a Subject that is hidden outside. */
  readonly headerProtection?: boolean
}

/**
 * Takes one MIME entity, pushed as bytes (header, empty line, body; CRLF line ends), and pushes the protected body.
 * `fields` are the MIME fields of the new, outer entity, known before its first body byte.
 */
export interface ProtectedSink {
  readonly fields: readonly HeaderField[]
  readonly sink: ByteSink
}

export interface ProtectionStandard {
  readonly name: StandardName
  /** All that `sign` and `encrypt` can be asked for, which `open` also reads. */
  readonly abilities: Abilities
  /** What every program of this standard decrypts; for those of whom nothing is known. */
  readonly commonCipher: WrittenCipher
  /** Reads one public key in the standard's own encoding (`Certificate.encoded`). */
  readCertificate(encoded: Uint8Array): Result<Certificate>
  /**
   * Structure only; the beginning of the body is enough. `undefined` means "not ours", which is never an error. `label`:
   * what its header says counts, where the content cannot be read. `content`: it does not; `encrypted` is then only what is
   * so as a whole. Where nothing is said: whatever `open` may have something to do with.
   */
  recognise(part: Part, by?: 'label' | 'content'): LayerKind | undefined
  /** Opens one layer. Hostile input yields `broken` and why; it never throws. */
  open(part: Part, ring: KeyRing): Opened
  /** As `open`, of what is too large for memory. What is inside goes to spills; throws when the disk fails. */
  openLarge(part: LargePart, ring: KeyRing, openSpill: OpenSpill): Opened<LargePart>
  /** May this certificate be believed at `atMs`, given what came with the mail and what is known? */
  judge(certificate: Certificate, came: CameWith, ring: KeyRing, atMs: number): TrustFinding
  /**
   * The algorithm of the key that `encrypt` takes of it at this time, by kind of key and by what it says itself of use and
   * time; `undefined` when it takes none.
   */
  encryptionAlgorithm(certificate: Certificate, atMs: number): string | undefined
  /** Whether `sign` does, for its owner. */
  canSignWith(certificate: Certificate, atMs: number): boolean
  /** Whether one authority vouches for both: then the later one is a renewal, no surprise. */
  sameIssuer(a: Certificate, b: Certificate): boolean
  /** What the certificate itself says, or shows by its kind of key, of its owner's program. */
  abilitiesOf(certificate: Certificate): StatedAbilities | undefined
  /** One signature by each key; at least one. */
  sign(keys: readonly OwnKey[], choice: SigningChoice, signingTimeMs: number, out: ByteSink): ProtectedSink
  /** Of a recipient's keys, where there are several, to one that is good at this time. */
  encrypt(recipients: readonly Certificate[], choice: EncryptionChoice, atMs: number, out: ByteSink): ProtectedSink
  /** Signs, then encrypts, in one layer: where the standard has such a thing, its programs expect it. */
  signAndEncrypt?(
    signing: Signing,
    recipients: readonly Certificate[],
    choice: EncryptionChoice,
    out: ByteSink,
  ): ProtectedSink
  /** Keys as people have them in files; `undefined` where the file is of another kind. An error where one cannot be read. */
  readKeyFile(file: Uint8Array, password: string): Result<KeyFile> | undefined
  /** What other programs of this standard take in. */
  writeKeyFile(content: KeyFileContent): Uint8Array
  /** Whether somebody else has issued it: then it counts by whom, and not by its own name. */
  isIssued(certificate: Certificate): boolean
  /** As the vault seals them: PKCS #8, or a transferable secret key. An error when they are not the certificate's. */
  writeSecret(own: SecretKeys & Pick<OwnKey, 'certificate'>): Result<Uint8Array>
  /** Of what `writeSecret` wrote. An error when they are not the certificate's. */
  readSecret(certificate: Certificate, secret: Uint8Array): Result<SecretKeys>
  /**
   * The same certificate with what a newer copy of it says: further subkeys, another expiry, revocations; nothing that was
   * known is lost. Missing where a certificate never changes. An error when they are not the same.
   */
  merge?(known: Certificate, update: Certificate): Result<Certificate>
  /** What tells the readers of the author's mail how to answer encrypted (Autocrypt). */
  headerFieldsOf?(own: Certificate, author: Address, preferEncrypt: boolean): readonly HeaderField[]
  /** Public keys that a part brings along: in its header (Autocrypt), or as its body (application/pgp-keys). Not believed. */
  certificatesIn?(part: Part): readonly BroughtCertificate[]
}

export interface BroughtCertificate {
  readonly certificate: Certificate
  /** Whether its author wants to be answered encrypted to it, where the mail says so: `prefer-encrypt` of Autocrypt. */
  readonly preferEncrypt?: 'mutual' | 'nopreference'
}

/** What a file of keys holds. */
export interface KeyFile {
  /** Of people. */
  readonly certificates: readonly Certificate[]
  /** Of authorities between these and one that vouches for itself. */
  readonly chain: readonly Certificate[]
  /** Of authorities that vouch for themselves. */
  readonly anchors: readonly Certificate[]
  /** Private keys with the certificate of the file that each belongs to. */
  readonly keys: readonly OwnKey[]
  /** Private keys whose certificate is not in the file. */
  readonly strayKeys: readonly KeyObject[]
}

/** Certificates, or private keys with theirs, which leave under a password only. `binary`: not as text, where there is a choice. */
export type KeyFileContent = { readonly binary?: boolean } & (
  { readonly certificates: readonly Certificate[] } | { readonly keys: readonly OwnKey[]; readonly password: string }
)

/** What `sign` is given. */
export interface Signing {
  readonly keys: readonly OwnKey[]
  readonly choice: SigningChoice
  readonly timeMs: number
}
