import { LOOPBACK_NAMES } from '@bridgekeeper/protocol'

const USUAL_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' }

/**
 * [ORIGIN.5] Returns every address that names this bridge, the first public URL first. For a loopback address
 * it adds the machine's other loopback names, which lead to the same port.
 *
 * @param publicUrls without a slash at the end
 * @throws TypeError for an invalid URL
 */
export function ownNames(publicUrls: readonly string[]): readonly string[] {
  return [...new Set([...publicUrls, ...publicUrls.flatMap(namesOfMachine)])]
}

function namesOfMachine(publicUrl: string): string[] {
  const { protocol, hostname, port, pathname } = new URL(publicUrl)
  if (!LOOPBACK_NAMES.includes(hostname)) return []
  const rest = (port === '' ? '' : `:${port}`) + pathname.replace(/\/+$/, '')
  return LOOPBACK_NAMES.map((host) => `${protocol}//${host}${rest}`)
}

/** A name of the bridge, and the path that follows it in an address. */
export interface Named {
  readonly name: string
  /** Begins with `/`, or is empty. */
  readonly path: string
}

/** [RS.8] Finds which name of the bridge a request used. A Host header adds no name. */
export class NameFinder {
  readonly #first: string
  readonly #byHost = new Map<string, string[]>()

  /** @param names of the bridge, at least one */
  constructor(names: readonly string[]) {
    this.#first = names[0] ?? ''
    for (const name of names) {
      const { host, hostname, port, protocol } = new URL(name)
      for (const one of new Set([host, port === '' ? `${hostname}:${USUAL_PORTS[protocol]}` : host]))
        this.#byHost.set(one, [...(this.#byHost.get(one) ?? []), name])
    }
  }

  /** @param host as received @returns the bridge's first name if the host is unknown */
  at(host = ''): string {
    return this.#byHost.get(host.toLowerCase())?.[0] ?? this.#first
  }

  /**
   * Splits a path that may begin with the path of a public URL. A proxy strips that path only at the front; a
   * well-known address has it in the middle (RFC 8414 section 3.1, RFC 9728 section 3.1).
   *
   * @param path what follows the well-known part, canonical
   */
  within(host: string | undefined, path: string): Named {
    const known = this.#byHost.get(host?.toLowerCase() ?? '') ?? [this.#first]
    for (const name of known) {
      const base = new URL(name).pathname
      if (base !== '/' && `${path}/`.startsWith(`${base}/`)) return { name, path: path.slice(base.length) }
    }
    return { name: this.at(host), path }
  }
}
