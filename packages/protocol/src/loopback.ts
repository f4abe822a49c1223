const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/

/** Names under which a listener on the usual loopback addresses is reached, as `URL.hostname` writes them. */
export const LOOPBACK_NAMES: readonly string[] = ['127.0.0.1', 'localhost', '[::1]']

/**
 * Whether a host is this machine itself. Names below `localhost` are not: some resolvers ask the network for them.
 *
 * @param host as `URL.hostname` or a socket writes it
 */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK.test(host)
}
