/** From the settings under `policy` to what src/policy decides by. */
import type { Domain } from '../message/address.ts'
import { PROFILES, type Profile } from '../policy/profiles.ts'
import type { InboundPolicy, OutboundPolicy } from '../policy/settings.ts'
import type { StandardName } from '../protection/standard.ts'
import type { Settings } from './schema.ts'

type PolicyFacts = Pick<Settings, 'domains' | 'peers' | 'policy'>

/** Of each configuration, those that were asked for: it does not change, and names few domains. */
const made = new WeakMap<PolicyFacts, Map<string, OutboundPolicy>>()

/** For mail to recipients in `domain`. */
export function outboundPolicyFor(settings: PolicyFacts, domain: Domain): OutboundPolicy {
  const surrogate = settings.domains.includes(domain) || settings.peers.includes(domain)
  const named = Object.hasOwn(settings.policy.perDomain, domain) ? domain : undefined
  const policies = made.get(settings) ?? new Map<string, OutboundPolicy>()
  const kind = `${named ?? ''} ${surrogate}`
  const policy = policies.get(kind) ?? makeOutboundPolicy(settings.policy, named, surrogate)
  made.set(settings, policies.set(kind, policy))
  return policy
}

/** `named`: a domain with settings of its own. */
function makeOutboundPolicy(
  policy: PolicyFacts['policy'],
  named: Domain | undefined,
  surrogate: boolean,
): OutboundPolicy {
  const own = (named && policy.perDomain[named]) ?? {}
  const profile = PROFILES[own.profile ?? policy.profile]
  /** `auto` is what the profile says. One for the domain comes before single settings for all domains. */
  const chosen = <Name extends keyof Profile>(name: Name): Profile[Name] => {
    const said = own[name] ?? (own.profile === undefined ? policy[name] : 'auto')
    return said === 'auto' ? profile[name] : (said as Profile[Name])
  }
  const [cipher, keyTransport] = [chosen('cipher'), chosen('keyTransport')]
  const [signature, digest] = [chosen('signature'), chosen('digest')]
  return {
    standards: own.standards ?? policy.standards,
    noKey: chosen('noKey'),
    recipientKeys: chosen('recipientKeys'),
    autocryptKeys: own.autocryptKeys ?? policy.autocryptKeys,
    layering: own.layering ?? policy.layering,
    revocation: own.revocation ?? policy.revocation,
    surrogate,
    headerProtection: own.headerProtection ?? policy.headerProtection,
    subject: own.subject ?? policy.subject,
    encryption: { ...(cipher !== undefined && { cipher }), ...(keyTransport !== undefined && { keyTransport }) },
    weakestCipher: chosen('weakestCipher'),
    signing: {
      form: own.signatureForm ?? policy.signatureForm,
      ...(signature !== undefined && { signature }),
      ...(digest !== undefined && { digest }),
      signers: own.signers ?? policy.signers,
    },
  }
}

/** For mail to our own `domain`. */
export function inboundPolicyFor({ policy }: PolicyFacts, domain: Domain): InboundPolicy {
  const own = policy.perDomain[domain] ?? {}
  return {
    onTampered: own.onTampered ?? policy.onTampered,
    onMismatch: own.onMismatch ?? policy.onMismatch,
    onUnknownKey: own.onUnknownKey ?? policy.onUnknownKey,
    onUnsigned: own.onUnsigned ?? policy.onUnsigned,
    onUnprotected: own.onUnprotected ?? policy.onUnprotected,
    onNoPrivateKey: own.onNoPrivateKey ?? policy.onNoPrivateKey,
    onDmarcFail: own.onDmarcFail ?? policy.onDmarcFail,
    revocation: own.revocation ?? policy.revocation,
  }
}

/** Those that each of our users is given keys for. */
export const standardsOfUsers = ({ keys }: Pick<Settings, 'keys'>): readonly StandardName[] =>
  keys.openpgp === 'off' ? ['smime'] : ['smime', 'openpgp']
