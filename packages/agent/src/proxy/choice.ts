import { BlockList, isIP } from 'node:net'
import { isLoopbackHost } from '@bridgekeeper/protocol'
import type { Env } from '../env.ts'
import { AgentError } from '../errors.ts'

/**
 * Returns the proxy that the environment sets for an address: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
 * `NO_PROXY`, lower-case names first. Loopback addresses never use a proxy: without TLS, the token would
 * leave the machine.
 *
 * @param target an address with `http:`, `https:`, `ws:` or `wss:`
 * @throws AgentError `proxy_invalid`
 */
export function proxyFor(target: URL, env: Env): URL | undefined {
  const isSecure = target.protocol === 'https:' || target.protocol === 'wss:'
  const name = [isSecure ? 'https_proxy' : 'http_proxy', 'all_proxy'].find(
    (each) => setting(env, each) !== undefined,
  )
  if (name === undefined) return undefined
  const host = plainHost(target.hostname)
  const port = target.port || (isSecure ? '443' : '80')
  if (isOwnMachine(host) || isExcepted(host, port, setting(env, 'no_proxy') ?? '')) return undefined
  return proxyUrl(name, setting(env, name) ?? '')
}

function setting(env: Env, name: string): string | undefined {
  return unquoted(env[name]) || unquoted(env[name.toUpperCase()]) || undefined
}

/** Without spaces and quotes around it: `set` on Windows keeps the quotes. */
function unquoted(value: string | undefined): string | undefined {
  return value?.trim().replace(/^(["'])(.*)\1$/, '$2')
}

function proxyUrl(name: string, text: string): URL {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  if (url === null || url.hostname === '' || !['http:', 'https:'].includes(url.protocol))
    throw new AgentError('proxy_invalid', `It is the value of ${name.toUpperCase()}.`)
  return url
}

function isOwnMachine(host: string): boolean {
  return isLoopbackHost(host) || host.endsWith('.localhost')
}

/**
 * Host names with all below them, patterns as `10.*`, addresses, networks as `10.0.0.0/8`, each with a port or
 * without, and `*`.
 */
function isExcepted(host: string, port: string, exceptions: string): boolean {
  return exceptions
    .toLowerCase()
    .split(/[\s,;]+/)
    .some((exception) => {
      if (exception === '*') return true
      const [, name = '', onlyPort] = /^(\[[^\]]*\]|[^:]*|[^:]*:[^:]*:.*?)(?::(\d+))?$/.exec(exception) ?? []
      if (onlyPort !== undefined && onlyPort !== port) return false
      return isSame(host, plainHost(name))
    })
}

function isSame(host: string, exception: string): boolean {
  if (exception === '') return false
  if (exception.includes('/')) return isInNetwork(host, exception)
  const domain = exception.replace(/^\*?\./, '')
  if (domain.includes('*')) return isLike(host, domain)
  return host === domain || (isIP(host) === 0 && host.endsWith(`.${domain}`))
}

/** Matches parts between stars in order, without a regular expression that could take long. */
function isLike(host: string, pattern: string): boolean {
  const [first = '', ...others] = pattern.split('*')
  const last = others.pop() ?? ''
  if (!host.startsWith(first) || !host.endsWith(last)) return false
  let from = first.length
  for (const part of others) {
    const at = host.indexOf(part, from)
    if (at === -1) return false
    from = at + part.length
  }
  return from + last.length <= host.length
}

function isInNetwork(host: string, network: string): boolean {
  const [address = '', bits = ''] = network.split('/')
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  if (isIP(host) === 0 || isIP(host) !== isIP(address) || !/^\d{1,3}$/.test(bits)) return false
  if (Number(bits) > (family === 'ipv6' ? 128 : 32)) return false
  const list = new BlockList()
  list.addSubnet(address, Number(bits), family)
  return list.check(host, family)
}

/** Without brackets, and without the dot that ends a full name. */
function plainHost(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
}
