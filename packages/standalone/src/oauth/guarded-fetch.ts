import { lookup } from 'node:dns'
import { type RequestOptions, request } from 'node:https'
import type { LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { reduceDocument } from './client-metadata.ts'

const MAX_BYTES = 65_536
const NO_BODY: readonly number[] = [204, 205, 304]

export interface GuardedFetchOptions {
  /** Whether requests to this machine are allowed: only if the bridge itself is reachable only here. */
  readonly allowLoopback: boolean
}

export type GuardedFetch = typeof fetch

/**
 * [OAUTH.6] Fetches an address that a stranger named, such as a client's metadata: https, public addresses
 * only, dialling exactly the resolved address. Follows no redirect; bounds time and size. Source:
 * draft-ietf-oauth-client-id-metadata-document section 6 (SSRF); OWASP SSRF prevention.
 */
export function guardedFetch({ allowLoopback }: GuardedFetchOptions): GuardedFetch {
  const mayDial = (address: string): boolean => {
    const range = rangeOf(address)
    return range === 'unicast' || (allowLoopback && range === 'loopback')
  }

  const checkedLookup: LookupFunction = (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      const [first] = found ?? []
      if (error !== null || first === undefined) return callback(error ?? notAllowed(), [])
      // Refuses a name with any forbidden address, which may be internal.
      if (!found.every(({ address }) => mayDial(address))) return callback(notAllowed(), [])
      if (options.all) callback(null, found)
      else callback(null, first.address, first.family)
    })
  }

  return async (url, { method = 'GET', headers, signal } = {}) => {
    const target = new URL(url instanceof Request ? url.url : url)
    const hostname = target.hostname.replace(/^\[|\]$/g, '')
    if (target.protocol !== 'https:') throw notAllowed()
    if (target.port !== '' && !allowLoopback) throw notAllowed()
    // Addresses are dialled without being looked up.
    if (ipaddr.isValid(hostname) && !mayDial(hostname)) throw notAllowed()
    const given = Object.fromEntries(new Headers(headers))
    return get(target, {
      method,
      headers: { ...given, 'accept-encoding': 'identity' },
      lookup: checkedLookup,
      agent: false,
      ...(signal && { signal }),
    })
  }
}

/** [OAUTH.25] Wraps a fetch so that client metadata documents are reduced before the library validates them. */
export function documentFetch(fetch: GuardedFetch): GuardedFetch {
  return async (url, options) => {
    const response = await fetch(url, options)
    const { status, headers } = response
    return status === 200
      ? new Response(reduceDocument(await response.text()), { status, headers })
      : response
  }
}

function get(target: URL, options: RequestOptions): Promise<Response> {
  return new Promise((resolve, reject) => {
    const sent = request(target, options, (incoming) => {
      const chunks: Buffer[] = []
      let sizeBytes = 0
      incoming.on('data', (chunk: Buffer) => {
        sizeBytes += chunk.length
        chunks.push(chunk)
        if (sizeBytes > MAX_BYTES) sent.destroy(new Error('The answer is too large.'))
      })
      incoming.on('error', reject)
      incoming.on('end', () => {
        const { statusCode: status = 502, headers } = incoming
        const text = (value: string | string[] | undefined): string => String(value ?? '')
        const kept = {
          'content-type': text(headers['content-type']),
          'cache-control': text(headers['cache-control']),
        }
        const body = NO_BODY.includes(status) ? null : Buffer.concat(chunks)
        resolve(new Response(body, { status: status < 200 ? 502 : status, headers: kept }))
      })
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** Returns `unicast` for a public address. An IPv4-mapped IPv6 address counts as IPv4. */
function rangeOf(address: string): string {
  try {
    return ipaddr.process(address).range()
  } catch {
    return 'invalid'
  }
}

function notAllowed(): Error {
  return new Error('The address is not allowed.')
}
