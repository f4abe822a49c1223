import { memoize } from '../memoize.ts'

/** A request target in its one canonical spelling. */
export interface Target {
  /** Begins with `/`, and ends with it only as the root. */
  readonly path: string
  /** Empty, or everything from the `?` on as received. */
  readonly query: string
}

/** Segments that are already canonical, as in most requests. */
const PLAIN = /^(?:\/[\w~-][\w.~-]*)+$/
/** RFC 3986 section 3.3 without escapes, which `decodeURIComponent` checks. */
const SEGMENT = /^[\w.~!$&'()*+,;=:@%-]+$/
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]+)/i
const QUERY = /^\?[\x21\x22\x24-\x7e]*$/

/**
 * [PATH.1] Returns the canonical spelling of a request target. It decides routing, limits, metadata and
 * audience alike, so that no second spelling passes a check: one slash at the end is dropped, and each
 * segment is percent-encoded as `encodeURIComponent` does it. Letter case is significant. Source: RFC 3986
 * sections 2.3 and 6.2.2, RFC 9112 section 3.2.
 *
 * @param target as received
 * @param host the header `Host`
 * @returns `undefined` for a target that can be read in two ways: absolute-form for another host, empty and
 * dot segments, a fragment, a backslash, escapes that are not UTF-8
 */
export function canonicalTarget(target: string, host?: string): Target | undefined {
  const url = target.startsWith('/') ? target : originForm(target, host)
  const received = pathOf(url)
  const query = url.slice(received.length)
  if (query !== '' && !QUERY.test(query)) return undefined
  const path = canonicalPath(received)
  return path === undefined ? undefined : { path, query }
}

/**
 * Strips scheme and host of an absolute-form target, which clients send to a proxy. Others stay unchanged.
 */
function originForm(target: string, host: string | undefined): string {
  const [absolute, authority = ''] = ABSOLUTE_FORM.exec(target) ?? []
  if (absolute === undefined || authority.toLowerCase() !== host?.toLowerCase()) return target
  const rest = target.slice(absolute.length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** The path of a target as received, without its query. Not canonical. */
export function pathOf(target = ''): string {
  const query = target.indexOf('?')
  return query === -1 ? target : target.slice(0, query)
}

/** The canonical path without a query: see `canonicalTarget`. @param path without query */
export const canonicalPath = memoize((path): string | undefined => {
  if (PLAIN.test(path) || path === '/') return path
  if (!path.startsWith('/')) return undefined
  const written = path.endsWith('/') ? path.slice(1, -1) : path.slice(1)
  const segments = written.split('/').map(canonicalSegment)
  return segments.includes(undefined) ? undefined : `/${segments.join('/')}`
})

function canonicalSegment(written: string): string | undefined {
  if (!SEGMENT.test(written)) return undefined
  try {
    const segment = decodeURIComponent(written)
    return segment === '.' || segment === '..' ? undefined : encodeURIComponent(segment)
  } catch {
    return undefined
  }
}

/** A request with a writable target. */
interface Targeted {
  url?: string | undefined
}

/**
 * Rewrites a request to its canonical target once a handler has accepted its path, so that libraries, gates
 * and the log all read the same target.
 */
export function rewriteTarget(request: Targeted, { path, query }: Target): void {
  const url = path + query
  if (request.url !== url) request.url = url
}
