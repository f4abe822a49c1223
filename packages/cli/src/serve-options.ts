import type { ServeOptions, TlsFiles } from '@bridgekeeper/standalone'
import type { Command } from 'commander'
import { UsageError } from './usage-error.ts'

/** How a node is reached, as written on the command line. */
export interface ReachFlags {
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly tls?: string
  readonly trustedProxy?: readonly string[]
  readonly publicUrl?: readonly string[]
  readonly allowOrigin?: readonly string[]
  readonly allowV1?: boolean
  readonly allowRegistration?: boolean
}

type Environment = Readonly<Record<string, string | undefined>>
type Reach = Pick<
  ServeOptions,
  'tls' | 'tlsMode' | 'trustedProxies' | 'publicUrls' | 'allowedOrigins' | 'allowV1' | 'allowRegistration'
>

/** Adds the flags to `bridgekeeper serve`. */
export function addReachFlags(command: Command): Command {
  return command
    .option('--tls-cert <file>', 'PEM certificate with its chain (default: BRIDGEKEEPER_TLS_CERT)')
    .option('--tls-key <file>', 'its PEM private key (default: BRIDGEKEEPER_TLS_KEY)')
    .option('--tls <mode>', 'required, terminated-by-proxy or off (default: BRIDGEKEEPER_TLS)')
    .option('--trusted-proxy <cidr>', 'a proxy to believe; repeatable (BRIDGEKEEPER_TRUSTED_PROXIES)', append)
    .option('--public-url <url>', 'an address of this bridge; repeatable (BRIDGEKEEPER_PUBLIC_URLS)', append)
    .option(
      '--allow-origin <origin>',
      'whose pages may use it; repeatable (BRIDGEKEEPER_ALLOWED_ORIGINS)',
      append,
    )
    .option('--allow-registration', 'let any app register itself (BRIDGEKEEPER_ALLOW_REGISTRATION=1)')
    .option('--allow-v1', "in production too, let in agents without a device's key (BRIDGEKEEPER_ALLOW_V1=1)")
}

/**
 * [CLI.15] The flags, and where one is not given, the environment, whose lists are separated by commas. What
 * each may be is for the bridge to say.
 * @throws UsageError where only one of certificate and key is given, or a switch is neither on nor off
 */
export function reachOptions(flags: ReachFlags, env: Environment): Reach {
  const tls = tlsFiles(
    flags.tlsCert ?? set(env.BRIDGEKEEPER_TLS_CERT),
    flags.tlsKey ?? set(env.BRIDGEKEEPER_TLS_KEY),
  )
  const tlsMode = flags.tls ?? set(env.BRIDGEKEEPER_TLS)
  const mayRegister = set(env.BRIDGEKEEPER_ALLOW_REGISTRATION)
  const allowRegistration =
    flags.allowRegistration ?? (mayRegister && switchedOn('BRIDGEKEEPER_ALLOW_REGISTRATION', mayRegister))
  return {
    ...(tls !== undefined && { tls }),
    ...(tlsMode !== undefined && { tlsMode }),
    ...(typeof allowRegistration === 'boolean' && { allowRegistration }),
    trustedProxies: flags.trustedProxy ?? listed(env.BRIDGEKEEPER_TRUSTED_PROXIES),
    publicUrls: flags.publicUrl ?? listed(env.BRIDGEKEEPER_PUBLIC_URLS),
    allowedOrigins: flags.allowOrigin ?? listed(env.BRIDGEKEEPER_ALLOWED_ORIGINS),
    allowV1: flags.allowV1 ?? switchedOn('BRIDGEKEEPER_ALLOW_V1', env.BRIDGEKEEPER_ALLOW_V1),
  }
}

function tlsFiles(certFile: string | undefined, keyFile: string | undefined): TlsFiles | undefined {
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile }
  if (certFile === undefined && keyFile === undefined) return undefined
  const missing = certFile === undefined ? 'certificate' : 'key'
  throw new UsageError(`The TLS ${missing} is missing.`, 'Give both --tls-cert FILE and --tls-key FILE.')
}

/** [CLI.19] A slip must not switch a protection off, so nothing but `1` does. @throws UsageError */
function switchedOn(name: string, value: string | undefined): boolean {
  const text = set(value) ?? '0'
  if (text === '0' || text === '1') return text === '1'
  throw new UsageError(`${name} is ${JSON.stringify(text)}.`, 'Give 1 or 0.')
}

function append(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value]
}

/** A variable that is set to nothing is not set. */
function set(value: string | undefined): string | undefined {
  return value?.trim() === '' ? undefined : value?.trim()
}

function listed(value: string | undefined): readonly string[] {
  return (value ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
