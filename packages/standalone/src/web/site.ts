import { isLoopbackHost } from '@bridgekeeper/protocol'

/** The address of the pages, as browsers see it. */
export interface Site {
  /** Scheme, host and port, as browsers write an origin. */
  readonly origin: string
  readonly hostname: string
  /** The path that a proxy strips; usually empty. */
  readonly base: string
  /** Whether browsers come over TLS, so that cookies may be for TLS only. */
  readonly secure: boolean
}

/** @param issuer the bridge's own address, such as `https://bridge.example.com` */
export function siteOf(issuer: string): Site {
  const { origin, hostname, pathname, protocol } = new URL(issuer)
  return { origin, hostname, base: pathname.replace(/\/+$/, ''), secure: protocol === 'https:' }
}

/** Whether only this very machine comes under that address. */
export function isOfThisMachine({ hostname }: Site): boolean {
  return isLoopbackHost(hostname)
}

/** A local path, which may have a query; no browser reads it as another origin. */
const LOCAL_PATH = /^\/(?![/\\])[\x21-\x7e]*$/
const MAX_PATH_CHARS = 2_048

/**
 * [PAGE.4] The page that a form may lead to: a path of this origin, else the account page. Browsers read
 * `//host`, `/\host` and embedded control characters as another origin.
 */
export function localPath(text: string | undefined, otherwise = '/account'): string {
  if (text === undefined || text.length > MAX_PATH_CHARS) return otherwise
  if (!LOCAL_PATH.test(text) || text.includes('\\')) return otherwise
  // Resolves dots as a browser does.
  const url = new URL(text, 'http://here.invalid')
  return url.origin === 'http://here.invalid' && !url.pathname.startsWith('//')
    ? url.pathname + url.search
    : otherwise
}
