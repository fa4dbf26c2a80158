/** Whose word counts, by the address of the connection; all of it is configured, none is trusted otherwise. */
export interface Trust {
  /** A load balancer of ours: the PROXY header comes first, and says who the client is. */
  sendsProxyHeader(address: string): boolean
}

const nobody = (): boolean => false

export const NO_TRUST: Trust = { sendsProxyHeader: nobody }
