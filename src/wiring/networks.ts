/** Whether an address is in networks of the configuration, which a reload may change. */
import { isWithin, networkList } from '../keys/public-address.ts'

const NONE: readonly string[] = []

/** `networks` is asked each time; the list is made anew only when it is another one. */
export function within(networks: () => readonly string[] | undefined): (address: string) => boolean {
  let known = NONE
  let list = networkList(known)
  return (address) => {
    const current = networks() ?? NONE
    if (current !== known) {
      known = current
      list = networkList(known)
    }
    return isWithin(list, address)
  }
}
