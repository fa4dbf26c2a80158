import type { SecretHeader } from '../protocol/smtp-session.ts'

/** Whose word counts, by the address of the connection; all of it is configured, none is trusted otherwise. */
export interface Trust {
  /** A load balancer of ours: the PROXY header comes first, and says who the client is. */
  sendsProxyHeader(address: string): boolean
  /** A server of ours in front: it may say for whom it comes (XCLIENT, XFORWARD), and who has signed in. */
  namesClient(address: string): boolean
  /** A server of ours whose users have signed in there: MAIL FROM says whose mail it is. */
  submits(address: string): boolean
  /** As `submits`, over TLS, for servers that send for strangers too: of their mails those that carry one of these are ours. */
  submitsWith(address: string): readonly SecretHeader[]
}

const nobody = (): boolean => false

export const NO_TRUST: Trust = { sendsProxyHeader: nobody, namesClient: nobody, submits: nobody, submitsWith: () => [] }
