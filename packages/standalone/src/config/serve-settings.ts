import type { BridgeOptions, JwksOptions } from '@bridgekeeper/bridge'
import type { LoginProviderSettings } from '../accounts/login-provider.ts'
import type { TlsFiles } from '../http/certificate.ts'
import { SECRETS, SERVE } from './serve-table.ts'
import { allOrNone, readAll, type SettingSource, type ValuesOf } from './setting.ts'
import { type BridgeSettings, bridgeSettings } from './transport.ts'

/** Limits of a bridge that an operator sets. */
type LimitSettings = Required<
  Pick<
    BridgeOptions,
    | 'rateLimits'
    | 'addressFailures'
    | 'fingerprints'
    | 'callTimeoutMs'
    | 'maxCallMs'
    | 'maxPendingCalls'
    | 'maxBodyBytes'
    | 'nameChars'
  >
>

/** Everything an operator decides about a node: read, checked and complete. */
export interface ServeSettings {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly dataFolder: string
  /** If set, the node terminates TLS. */
  readonly tlsFiles: TlsFiles | undefined
  readonly reach: BridgeSettings
  readonly limits: LimitSettings
  /** Form of the log's copy; default: human on a terminal, else JSON. */
  readonly logFormat: 'human' | 'json' | undefined
  readonly sockets: { readonly inAll: number; readonly perAddress: number }
  /** Whether agents without a device key may connect in production, too. */
  readonly allowV1: boolean
  /** Whether any client may register itself. Default: outside of production, if only this machine reaches the node. */
  readonly allowRegistration: boolean | undefined
  /** [JWKS.4] External identity provider. With it, the node's own tokens are invalid here. */
  readonly tokenProvider: JwksOptions | undefined
  /** The provider at which users may log in. */
  readonly loginProvider: LoginProviderSettings | undefined
}

type Values = ValuesOf<typeof SERVE>

/**
 * Reads and checks all settings of a node. Opens nothing but files of secrets.
 * @throws SetupError `setting_invalid`, `tls_cert_missing`, `tls_off_in_production`, `trusted_proxy_missing`,
 * `public_url_missing`, `secret_unreadable`, `rights_unsafe`
 */
export function serveSettings(source: SettingSource): ServeSettings {
  const values = readAll(SERVE, source)
  const { host, port, dataFolder, allowV1, allowRegistration, logFormat } = values
  const tlsFiles = tlsFilesOf(values)
  return {
    ...{ host, port, dataFolder, tlsFiles, allowV1, allowRegistration, logFormat },
    reach: bridgeSettings({ ...values, hasOwnTls: tlsFiles !== undefined }),
    limits: limitsOf(values),
    sockets: { inAll: values.maxConnections, perAddress: values.maxConnectionsPerAddress },
    tokenProvider: tokenProviderOf(values),
    loginProvider: loginProviderOf(values, source),
  }
}

function tlsFilesOf({ tlsCert: certFile, tlsKey: keyFile }: Values): TlsFiles | undefined {
  const files = allOrNone({ '--tls-cert': certFile, '--tls-key': keyFile })
  return files && { certFile: files['--tls-cert'], keyFile: files['--tls-key'] }
}

/** [RATE.8] */
function limitsOf(values: Values): LimitSettings {
  const { rateLimit, tokenRateLimit, toolRateLimits, addressFailures, fingerprints } = values
  const { callTimeoutMs, maxCallMs, maxPendingCalls, maxBodyBytes, nameChars } = values
  const { count: failures, windowMs, blockMs } = addressFailures
  const tools = toolRateLimits.map(([tool, limit]) => [tool, rateLimitOf(limit)] as const)
  return {
    fingerprints,
    callTimeoutMs,
    maxCallMs,
    maxPendingCalls,
    maxBodyBytes,
    nameChars,
    addressFailures: { failures, windowMs, blockMs },
    rateLimits: {
      user: rateLimitOf(rateLimit),
      token: tokenRateLimit && rateLimitOf(tokenRateLimit),
      tools: tools.length === 0 ? undefined : Object.fromEntries(tools),
    },
  }
}

function rateLimitOf({ count, windowMs, blockMs }: Values['rateLimit']) {
  return { maxCalls: count, windowMs, blockMs }
}

function tokenProviderOf({ jwksUrl, jwtIssuer, jwtAudience }: Values): JwksOptions | undefined {
  const given = allOrNone({
    BRIDGEKEEPER_JWKS_URL: jwksUrl,
    BRIDGEKEEPER_JWT_ISSUER: jwtIssuer,
    BRIDGEKEEPER_JWT_AUDIENCE: jwtAudience,
  })
  return (
    given && {
      jwks: given.BRIDGEKEEPER_JWKS_URL,
      issuer: given.BRIDGEKEEPER_JWT_ISSUER,
      audience: given.BRIDGEKEEPER_JWT_AUDIENCE,
    }
  )
}

/** [SSO.4] */
function loginProviderOf(values: Values, source: SettingSource): LoginProviderSettings | undefined {
  const given = allOrNone({
    BRIDGEKEEPER_SSO_ISSUER: values.ssoIssuer,
    BRIDGEKEEPER_SSO_CLIENT_ID: values.ssoClientId,
    BRIDGEKEEPER_SSO_CLIENT_SECRET: SECRETS.ssoClientSecret.read(source)?.trim() || undefined,
  })
  return (
    given && {
      issuer: given.BRIDGEKEEPER_SSO_ISSUER,
      clientId: given.BRIDGEKEEPER_SSO_CLIENT_ID,
      clientSecret: given.BRIDGEKEEPER_SSO_CLIENT_SECRET,
      name: values.ssoName,
      createUsers: values.ssoCreate,
    }
  )
}
