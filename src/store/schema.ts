/**
 * The tables as types, one interface a table. Times are Unix milliseconds (`…_ms`), truth values are 0 or 1, so that both
 * dialects hold the same; JSON columns say so. Only src/store reads these types: the nouns speak their own.
 */
import type { Generated, Kysely } from 'kysely'
import type { Address, Domain } from '../message/address.ts'
import type { HeaderConfidentiality } from '../protection/header/header-confidentiality.ts'
import type { StandardName, TrustLevel } from '../protection/standard.ts'

/** A row of `bytes`: one message as it was written, sealed. */
export type BytesId = number & { readonly brand: 'BytesId' }

/** Reads the last committed state. A `Tx` is a `Db` too, and reads what it has written itself. */
export type Db = Kysely<Schema>

/** A connection inside a transaction. Only `Committer.commit` hands one out; it is not to be used after the work has returned. */
export type Tx = Kysely<Schema> & { readonly brand: 'Tx' }

export interface Schema {
  schema_version: SchemaVersionTable
  changes: ChangesTable
  data_keys: DataKeysTable
  bytes: BytesTable
  pieces: PiecesTable
  accounts: AccountsTable
  account_entries: AccountEntriesTable
  queue: QueueTable
  mailbox: MailboxTable
  quarantine: QuarantineTable
  certificates: CertificatesTable
  abilities: AbilitiesTable
  anchors: AnchorsTable
  dkim_keys: DkimKeysTable
  tls_results: TlsResultsTable
  private_keys: PrivateKeysTable
  audit: AuditTable
  trace: TraceTable
  confidential_mails: ConfidentialMailsTable
  validation_data: ValidationDataTable
}

export interface SchemaVersionTable {
  version: number
  applied_ms: number
  /** The oldest version whose program can use this one; `null`: no other. */
  usable_since: number | null
}

/** One counter for each kind of thing that is cached in memory; see changes.ts. */
export interface ChangesTable {
  noun: string
  count: number
}

export interface DataKeysTable {
  id: Generated<number>
  created_ms: number
  master_key_id: string
  wrapped: Uint8Array
}

/** Exactly one of `file` and `inline` is set. */
export interface BytesTable {
  id: Generated<BytesId>
  created_ms: number
  size_bytes: number
  data_key_id: number
  file: string | null
  inline: Uint8Array | null
  /** Sealed; read before the rest, and counted in the size. */
  front: Uint8Array | null
}

/** Of large messages, where they lie in the database: `bytes.file` names the object. */
export interface PiecesTable {
  object: string
  /** From 0. */
  number: number
  created_ms: number
  sealed: Uint8Array
}

export interface AccountsTable {
  id: Generated<number>
  address: Address
  address_key: string
  password_hash: string
  status: 'active' | 'suspended' | 'removed' | 'absent'
  source: 'table' | 'file' | 'ldap'
  created_ms: number
  /** In the Web Key Directory: hash of the local part, `@`, domain. Null: to be filled in. */
  wkd_name: string | null
}

/** Of accounts whose source has said which entry they are. */
export interface AccountEntriesTable {
  id: Generated<number>
  account_id: number
  entry_id: string
  /** The entry that the source has under the address now, where that is another one. */
  other_entry_id: string | null
}

/** `due_ms` is the next attempt, or the end of the lease while one runs: one index answers "what is to be done now". */
export interface QueueTable {
  id: Generated<number>
  bytes_id: BytesId
  mail_from: Address | ''
  recipient: Address
  domain: Domain
  queued_ms: number
  next_attempt_ms: number
  due_ms: number
  attempts: number
  state: 'ready' | 'held'
  last_reply: string | null
  delay_told_ms: number | null
  message_id: string
  notify: string | null
  ret: 'FULL' | 'HDRS' | null
  envid: string | null
  orcpt: string | null
  require_tls: number
  smtp_utf8: number
  eight_bit: number
  body_kind: QueuedBody
  /** The node that has it, or had it last. */
  leased_by: string | null
}

/** `opened`: for the mail store behind us; it is readable, and must go nowhere else. */
export type QueuedBody = 'sealed' | 'plain' | 'dsn' | 'opened'

export interface MailboxTable {
  id: Generated<number>
  account_id: number
  uidl: string
  size_bytes: number
  received_ms: number
  bytes_id: BytesId
  evidence_bytes_id: BytesId | null
}

export interface QuarantineTable {
  id: Generated<number>
  bytes_id: BytesId
  at_ms: number
  mail_from: Address | ''
  /** JSON: string[] */
  recipients: string
  message_id: string
  reason: string
}

export interface CertificatesTable {
  id: Generated<number>
  address: Address
  address_key: string
  standard: StandardName
  fingerprint: string
  encoded: Uint8Array
  trust: TrustLevel
  source: string
  first_seen_ms: number
  last_seen_ms: number
  revoked_ms: number | null
}

/** One row for each thing known of the program behind an address. */
export interface AbilitiesTable {
  id: Generated<number>
  address: Address
  address_key: string
  standard: StandardName
  fact: AbilityFact
  /** JSON */
  value: string
  signed_ms: number
  learned_ms: number
}

/** What it says, the cipher it has used, whether it signs outside of the encryption, whether it protects headers. */
export type AbilityFact =
  'states' | 'cipher' | 'outer-signature' | 'header-protection' | 'autocrypt' | 'autocrypt-authenticated'

export interface AnchorsTable {
  fingerprint: string
  standard: StandardName
  encoded: Uint8Array
  source: string
  added_ms: number
}

/** `owner_key` is the addressKey of a user, or the domain of an authority (which has no '@' and so never meets one). */
export interface PrivateKeysTable {
  id: Generated<number>
  owner: string
  owner_key: string
  /** `former`: of who had the address before it was somebody else's; sealed as `mail`. */
  purpose: 'mail' | 'authority' | 'former'
  standard: StandardName
  fingerprint: string
  certificate: Uint8Array
  /** JSON: base64 of each chain certificate */
  chain: string
  data_key_id: number
  sealed: Uint8Array
  created_ms: number
  retired_ms: number | null
  sealed_revocation: Uint8Array | null
}

export interface DkimKeysTable {
  id: Generated<number>
  domain: string
  selector: string
  algorithm: 'rsa-sha256' | 'ed25519-sha256'
  public_key: Uint8Array
  data_key_id: number
  sealed: Uint8Array
  created_ms: number
  /** 1: it signs. */
  used: number
}

export interface TlsResultsTable {
  id: Generated<number>
  /** UTC, `2026-11-23`. */
  day: string
  domain: string
  /** JSON: an object with its `type`. Of a long one no more than that, and its digest. */
  policy: string
  /** The whole of it, where `policy` is not. */
  long_policy: string | null
  result: string
  host: string
  address: string
  count: number
  /** Ours, when it was asked last. */
  sending_address: string
}

export interface AuditTable {
  id: Generated<number>
  at_ms: number
  actor: string
  operation: string
  subject: string
  detail: string
}

export interface TraceTable {
  id: Generated<number>
  at_ms: number
  message_id: string
  event: string
  detail: string
}

/** `message` is a digest of the Message-ID. */
export interface ConfidentialMailsTable {
  id: Generated<number>
  account_id: number
  message: string
  hidden: Exclude<HeaderConfidentiality, 'none'>
  at_ms: number
}

/** `key`: what it is and where it was fetched. */
export interface ValidationDataTable {
  key: string
  until_ms: number
  size_bytes: number
  encoded: Uint8Array
}
