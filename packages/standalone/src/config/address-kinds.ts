import { isIP } from 'node:net'
import { plainAddress } from '@bridgekeeper/protocol'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'

/**
 * Reads an address or a range as a range. Refuses a range that does not start at its first address, which is
 * a typing error, and `/0`, which would trust every client as a proxy.
 */
export const proxyRange = read(readRange).describe(
  'an IP address, or a range such as 10.0.0.0/8 that starts at its first address and is not /0',
)

/** Reads a public URL, without a trailing slash. */
export const publicUrl = read(readPublicUrl).describe('an http(s) URL without user name, query and fragment')

/** Reads an origin, in lower case. */
export const origin = read(readOrigin).describe(
  'an origin like https://app.example.com, without a trailing slash or a wildcard',
)

function read(reader: (text: string) => string | undefined) {
  return z.string().transform((text, context): string => {
    const value = reader(text)
    if (value !== undefined) return value
    context.addIssue('invalid')
    return z.NEVER
  })
}

function readRange(text: string): string | undefined {
  const [address = '', bits = isIP(text) === 4 ? '32' : '128', ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0 || !/^[1-9]\d{0,2}$/.test(bits)) return undefined
  const range = `${address}/${bits}`
  return firstAddress(range, version) === ipaddr.parse(address).toNormalizedString() ? range : undefined
}

/** Returns `undefined` if the range has more bits than an address. */
function firstAddress(range: string, version: number): string | undefined {
  try {
    const parser = version === 4 ? ipaddr.IPv4 : ipaddr.IPv6
    return parser.networkAddressFromCIDR(range).toNormalizedString()
  } catch {
    return undefined
  }
}

function readPublicUrl(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null || !['https:', 'http:'].includes(url.protocol)) return undefined
  return plainAddress(url)
}

function readOrigin(text: string): string | undefined {
  const url = URL.parse(text)
  const isExact = url !== null && url.origin !== 'null' && text.toLowerCase() === url.origin
  return isExact && !text.includes('*') ? url.origin : undefined
}
