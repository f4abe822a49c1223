import { isLoopbackHost } from '@bridgekeeper/protocol'
import { ownNames } from './own-names.ts'
import type { Dialled } from './proof.ts'

/** The bridge's own end of a socket. */
export interface OwnEnd {
  readonly encrypted?: boolean | undefined
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
}

const IPV4_IN_IPV6 = '::ffff:'

/**
 * Addresses under which agents dial this bridge: its public URLs or, without any, the address at which the
 * socket arrived. A peer's claim, such as its Host header, never counts.
 */
export class OwnAddresses {
  readonly #public: readonly Dialled[]
  readonly #path: string
  /** Cache of the last address: sockets arrive at few addresses, usually the same one. */
  #last: { readonly url: string; readonly dialled: readonly Dialled[] } | undefined

  /** @param path of the agents' endpoint @throws TypeError for an invalid URL */
  constructor(publicUrls: readonly string[], path: string) {
    this.#path = path
    this.#public = ownNames(publicUrls).map((text) => {
      const { origin, pathname } = new URL(text)
      return { origin, path: pathname.replace(/\/+$/, '') + path }
    })
  }

  /** [PROOF.4] Addresses that an agent may have dialled to reach this end. */
  at(own: OwnEnd): readonly Dialled[] {
    if (this.#public.length > 0) return this.#public
    const { encrypted, localAddress = '', localPort = 0 } = own
    const scheme = encrypted === true ? 'https' : 'http'
    const address = localAddress.startsWith(IPV4_IN_IPV6)
      ? localAddress.slice(IPV4_IN_IPV6.length)
      : localAddress
    const url = `${scheme}://${address.includes(':') ? `[${address}]` : address}:${localPort}`
    if (this.#last?.url !== url) this.#last = { url, dialled: this.#named(url, address) }
    return this.#last.dialled
  }

  #named(url: string, address: string): readonly Dialled[] {
    if (!URL.canParse(url)) return []
    const names = [new URL(url)]
    if (isLoopbackHost(address)) {
      const byName = new URL(url)
      byName.hostname = 'localhost'
      names.push(byName)
    }
    return names.map(({ origin }) => ({ origin, path: this.#path }))
  }
}
