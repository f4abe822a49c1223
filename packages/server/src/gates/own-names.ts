const LOOPBACK_HOSTS = ['127.0.0.1', 'localhost', '[::1]']

/**
 * [ORIGIN.5] Every address that names this bridge: its public URLs, first of all the first, and for one at the machine
 * itself the machine's other names, since they lead to the same port. A loopback address is for this machine alone, so
 * that its names differ in spelling only.
 *
 * @param publicUrls without a slash at the end
 * @throws TypeError if one is no URL
 */
export function ownNames(publicUrls: readonly string[]): readonly string[] {
  return [...new Set([...publicUrls, ...publicUrls.flatMap(namesOfMachine)])]
}

function namesOfMachine(publicUrl: string): string[] {
  const { protocol, hostname, port, pathname } = new URL(publicUrl)
  if (!LOOPBACK_HOSTS.includes(hostname)) return []
  const rest = (port === '' ? '' : `:${port}`) + pathname.replace(/\/+$/, '')
  return LOOPBACK_HOSTS.map((host) => `${protocol}//${host}${rest}`)
}
