/** Publishes the OpenPGP keys of our users: the directory behind its listener. */
import type { Clock } from '../base/clock.ts'
import { concatBytes } from '../base/bytes.ts'
import * as events from '../base/events.ts'
import type { PrivateKeys } from '../keys/private-keys.ts'
import type { Address, Domain } from '../message/address.ts'
import { armor } from '../protection/openpgp/armor.ts'
import { isOpenpgpCertificate } from '../protection/openpgp/certificate/certificate.ts'
import { certificatesForAddress } from '../protection/openpgp/certificate/one-address.ts'
import { stateAt } from '../protection/openpgp/certificate/state.ts'
import type { Certificate } from '../protection/standard.ts'
import type { Store } from '../store/database.ts'
import { answerOf } from './directory.ts'
import { type HttpsListener, type HttpsOptions, startHttps } from './https-listener.ts'
import { publishedUser } from './published-users.ts'

export interface PublishDeps {
  readonly store: Store
  readonly clock: Clock
  readonly privateKeys: PrivateKeys
  readonly domains: readonly Domain[]
}

export function startPublishing(options: HttpsOptions, deps: PublishDeps): Promise<HttpsListener> {
  const directory = {
    domains: deps.domains,
    userNamed: (domain: Domain, hash: string, local: string | undefined) =>
      publishedUser(deps.store.db, domain, hash, local),
    publicKeysOf: (address: Address) => publicKeysOf(deps, address),
    armor: (keys: Uint8Array) => armor('PGP PUBLIC KEY BLOCK', keys),
  }
  return startHttps(options, {
    answer: (asked) => answerOf(directory, asked),
    nowMs: () => deps.clock.nowMs(),
    answered: (facts) => events.keyAsked(facts),
    failed: (error) => events.trouble({ during: 'publishing keys', error }),
  })
}

/** The newest of them. */
const REVOKED_MAX = 3

/** Those in use now, and those that say that they are revoked; a key that is only retired would be encrypted to by mistake. */
async function publicKeysOf({ privateKeys, clock }: PublishDeps, address: Address): Promise<Uint8Array> {
  const current = await privateKeys.currentKeys(address)
  const revoked = (await privateKeys.keysOf(address))
    .filter(({ retiredMs, certificate }) => retiredMs !== undefined && isRevoked(certificate, clock.nowMs()))
    .slice(0, REVOKED_MAX)
  const ours = [...current, ...revoked].filter(({ certificate }) => certificate.standard === 'openpgp')
  return concatBytes(
    ours.flatMap(({ certificate }) => {
      const cut = certificatesForAddress(certificate.encoded, address)
      return cut.ok ? cut.value : []
    }),
  )
}

function isRevoked(certificate: Certificate, atMs: number): boolean {
  const state = isOpenpgpCertificate(certificate) ? stateAt(certificate, atMs) : undefined
  return state?.valid === false && state.verdict === 'revoked'
}
