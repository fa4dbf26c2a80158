/** Who the client of a session is: who has connected, unless a host that is trusted comes for somebody else. */
import { isLoopback } from '../base/peer-address.ts'
import type { ClientAttributes } from '../protocol/client-attributes.ts'
import type { SecretHeader } from '../protocol/smtp-session.ts'
import type { Trust } from './trust.ts'

/** What Received says of a client whose name the host in front does not know. */
const NAMELESS = 'unknown'

export class ClientIdentity {
  /** Whose word it is; what is said by XCLIENT and XFORWARD changes nothing in this. */
  readonly connectedFrom: string
  #ofSession: ClientAttributes = {}
  #ofMessage: ClientAttributes | undefined

  readonly #socketAddress: string
  readonly #trust: Trust

  /** `socketAddress`: the other end of the line, which may be a load balancer's. */
  constructor(connectedFrom: string, socketAddress: string, trust: Trust) {
    this.connectedFrom = connectedFrom
    this.#socketAddress = socketAddress
    this.#trust = trust
  }

  /** May XCLIENT and XFORWARD be said? */
  get mayNameOthers(): boolean {
    return this.#trust.namesClient(this.connectedFrom)
  }

  /** Is it a server of ours, whose users have signed in there? */
  submitsForUsers(isSecure: boolean): boolean {
    const { submits, submitsWith } = this.#trust
    const address = this.sessionAddress
    return submits(address) ? isSecure || this.isHere : isSecure && submitsWith(address).length > 0
  }

  /** One of these has to stand in the mail of who submits for users; none is asked of a server that is ours alone. */
  get mustCarry(): readonly SecretHeader[] {
    const { submits, submitsWith } = this.#trust
    return submits(this.sessionAddress) ? [] : submitsWith(this.sessionAddress)
  }

  /** On this machine: what others say of their clients tells nothing of the line between them and us. */
  get isHere(): boolean {
    return isLoopback(this.sessionAddress) && isLoopback(this.#socketAddress)
  }

  /** XCLIENT: for all of the session from now on. What was said before and is not said again stays. */
  speaksFor(attributes: ClientAttributes): void {
    this.#ofSession = { ...this.#ofSession, ...attributes }
    this.#ofMessage = undefined
  }

  /** XFORWARD: for the next message. */
  forwardsFrom(attributes: ClientAttributes): void {
    this.#ofMessage = { ...this.#ofMessage, ...attributes }
  }

  /** The message that XFORWARD spoke of is done with. */
  endMessage(): void {
    this.#ofMessage = undefined
  }

  /** Begins anew, as after a handshake (RFC 3207 §4.2). */
  forget(): void {
    this.#ofSession = {}
    this.#ofMessage = undefined
  }

  /** Whose session it is: what may be done in it is decided by this. */
  get sessionAddress(): string {
    return this.#ofSession.address ?? this.connectedFrom
  }

  /** Where the message comes from; of one that was written on the host in front, that host. */
  get address(): string {
    return this.#ofMessage?.address ?? this.sessionAddress
  }

  /** `greeted`: what the connection itself said. Nothing is mixed of one client and another. */
  helo(greeted: string): string {
    const { address, helo } = this.#ofMessage ?? {}
    if (address !== undefined && address !== null) return helo ?? NAMELESS
    return this.#ofSession.helo ?? greeted
  }
}
