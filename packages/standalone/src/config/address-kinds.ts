import { isIP } from 'node:net'
import { plainAddress } from '@bridgekeeper/protocol'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'

/**
 * An address or range, as a range. One that begins at another address than is written is a slip; one of
 * all addresses would let anyone claim to be a proxy.
 */
export const proxyRange = read(readRange).describe(
  'an IP address, or a range such as 10.0.0.0/8 that starts at its first address and is not /0',
)

/** Without a slash at its end. */
export const publicUrl = read(readPublicUrl).describe('an http(s) URL without user name, query and fragment')

/** In lower case. */
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

/** `undefined` where the range has more bits than an address. */
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
