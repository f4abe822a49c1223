import type { Environment } from '@bridgekeeper/bridge/parts'
import { isLoopbackHost } from '@bridgekeeper/protocol'
import type { LoginProviderSettings } from '../accounts/login-provider.ts'
import { readSecretFile } from '../data/file-rights.ts'
import { SetupError } from './setup-error.ts'

const VARIABLES = [
  'BRIDGEKEEPER_SSO_ISSUER',
  'BRIDGEKEEPER_SSO_CLIENT_ID',
  'BRIDGEKEEPER_SSO_CLIENT_SECRET',
] as const

/**
 * The provider at which users may log in, as the environment names it; `undefined` where it names none.
 * @throws SetupError `setting_invalid`, `rights_unsafe`
 */
export function ssoSettings(env: Environment): LoginProviderSettings | undefined {
  const [issuer, clientId] = VARIABLES.map((name) => env[name]?.trim() || undefined)
  const clientSecret =
    env.BRIDGEKEEPER_SSO_CLIENT_SECRET?.trim() || secretIn(env.BRIDGEKEEPER_SSO_CLIENT_SECRET_FILE)
  if (issuer === undefined && clientId === undefined && clientSecret === undefined) return undefined
  if (issuer === undefined || clientId === undefined || clientSecret === undefined)
    throw invalid(
      `Of ${VARIABLES.join(', ')} some are set, and some are not.`,
      'Set all three (the secret also as …_FILE) to let users log in at a provider, or none.',
    )
  return {
    issuer: issuerUrl(issuer),
    clientId,
    clientSecret,
    name: env.BRIDGEKEEPER_SSO_NAME?.trim() || 'your organisation',
    createUsers: env.BRIDGEKEEPER_SSO_CREATE?.trim() === '1',
  }
}

function issuerUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isLoopback = url !== undefined && isLoopbackHost(url.hostname)
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback)) return url
  throw invalid(
    'BRIDGEKEEPER_SSO_ISSUER is no https address.',
    "Give the provider's issuer, as its metadata names it.",
  )
}

function secretIn(path: string | undefined): string | undefined {
  if (path === undefined || path.trim() === '') return undefined
  try {
    return readSecretFile(path).trim() || undefined
  } catch (cause) {
    if (cause instanceof SetupError) throw cause
    throw invalid(
      'BRIDGEKEEPER_SSO_CLIENT_SECRET_FILE cannot be read.',
      'Check the path and its rights.',
      cause,
    )
  }
}

function invalid(message: string, next: string, cause?: unknown): SetupError {
  return new SetupError('setting_invalid', message, next, { cause })
}
