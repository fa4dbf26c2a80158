/** From the settings under `policy` to what src/policy decides by. */
import type { Domain } from '../message/address.ts'
import type { InboundPolicy, OutboundPolicy } from '../policy/settings.ts'
import type { Settings } from './schema.ts'

type PolicyFacts = Pick<Settings, 'domains' | 'peers' | 'policy'>

/** For mail to recipients in `domain`. */
export function outboundPolicyFor(settings: PolicyFacts, domain: Domain): OutboundPolicy {
  const { policy } = settings
  const own = policy.perDomain[domain] ?? {}
  const cipher = own.cipher ?? policy.cipher
  const keyTransport = own.keyTransport ?? policy.keyTransport
  return {
    noKey: own.noKey ?? policy.noKey,
    layering: own.layering ?? policy.layering,
    surrogate: settings.domains.includes(domain) || settings.peers.includes(domain),
    headerProtection: own.headerProtection ?? policy.headerProtection,
    subject: own.subject ?? policy.subject,
    encryption: {
      ...(cipher === 'auto' ? {} : { cipher }),
      ...(keyTransport === 'auto' ? {} : { keyTransport }),
    },
    signing: {
      form: own.signatureForm ?? policy.signatureForm,
      signature: own.signature ?? policy.signature,
      digest: own.digest ?? policy.digest,
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
  }
}
