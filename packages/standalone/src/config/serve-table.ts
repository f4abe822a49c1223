import {
  DEFAULT_CALL_TIMEOUT_MS,
  DEFAULT_FAILURE_LIMIT,
  DEFAULT_MAX_BODY_BYTES,
  DEFAULT_MAX_CALL_MS,
  DEFAULT_MAX_PENDING_CALLS,
  DEFAULT_NAME_CHARS,
  DEFAULT_RATE_LIMIT,
  FINGERPRINT_POLICIES,
  isProduction,
  NAME_CHARS_RANGE,
  TLS_MODES,
} from '@bridgekeeper/bridge/parts'
import { limits } from '@bridgekeeper/protocol'
import { MAX_CONNECTIONS, MAX_SOCKETS_PER_ADDRESS } from '../http/socket-limits.ts'
import { origin, proxyRange, publicUrl } from './address-kinds.ts'
import { durationText } from './duration.ts'
import { integer, type Limit, limit, oneOf, secureUrl, text, toolLimit } from './kinds.ts'
import { list, optional, optionalToggle, type Setting, secret, toggle, withDefault } from './setting.ts'

/** Forms of the copy of the security log on standard output. */
const LOG_FORMATS = ['human', 'json'] as const
const MAX_SOCKETS = 1_000_000
const MAX_CALL_TIMEOUT_MS = 86_400_000
const MAX_PENDING_CALLS = 10_000

const production: Setting<boolean> = {
  variable: 'NODE_ENV',
  help: '`production` demands TLS, a secret, and device keys of agents',
  unset: 'development',
  shape: 'one',
  read: ({ env }) => isProduction(env),
}

/** Settings of `serve`, each declared once. Secrets are in {@link SECRETS}. */
export const SERVE = {
  host: withDefault(text, {
    flag: '--host <address>',
    variable: 'BRIDGEKEEPER_HOST',
    help: 'address to listen on',
    default: '127.0.0.1',
  }),
  port: withDefault(integer(0, 65_535), {
    flag: '--port <number>',
    variable: 'PORT',
    help: 'port to listen on; 0 chooses a free one',
    example: '8787',
    default: '8787',
  }),
  dataFolder: withDefault(text, {
    flag: '--data <dir>',
    variable: 'BRIDGEKEEPER_DATA',
    help: 'data folder; also of the operator commands',
    example: '/var/lib/bridgekeeper',
    default: '.bridgekeeper',
  }),
  production,
  tlsCert: optional(text, {
    flag: '--tls-cert <file>',
    variable: 'BRIDGEKEEPER_TLS_CERT',
    help: 'PEM certificate with its chain; a renewed one is used without a restart',
    example: 'cert.pem',
  }),
  tlsKey: optional(text, {
    flag: '--tls-key <file>',
    variable: 'BRIDGEKEEPER_TLS_KEY',
    help: 'PEM private key of the certificate',
    example: 'key.pem',
  }),
  tlsMode: optional(oneOf(TLS_MODES), {
    flag: '--tls <mode>',
    variable: 'BRIDGEKEEPER_TLS',
    help: `where TLS terminates: ${TLS_MODES.join(', ')}`,
    example: 'terminated-by-proxy',
    unset: 'required; in development this machine may connect without TLS',
  }),
  trustedProxies: list(proxyRange, {
    flag: '--trusted-proxy <cidr>',
    variable: 'BRIDGEKEEPER_TRUSTED_PROXIES',
    help: 'proxy whose X-Forwarded headers count',
    example: '10.0.0.5, 10.0.0.0/8 or fd00::/8',
  }),
  publicUrls: list(publicUrl, {
    flag: '--public-url <url>',
    variable: 'BRIDGEKEEPER_PUBLIC_URLS',
    help: 'public URL of this bridge',
    example: 'https://bridge.example.com',
    isPrivate: true,
    unset: 'where it listens',
  }),
  allowedOrigins: list(origin, {
    flag: '--allow-origin <origin>',
    variable: 'BRIDGEKEEPER_ALLOWED_ORIGINS',
    help: 'origin of web pages that may use this bridge',
    example: 'https://app.example.com',
  }),
  allowRegistration: optionalToggle({
    flag: '--allow-registration',
    variable: 'BRIDGEKEEPER_ALLOW_REGISTRATION',
    help: 'let any MCP client register itself',
    unset: 'on only for a bridge of this machine alone',
  }),
  allowV1: toggle({
    flag: '--allow-v1',
    variable: 'BRIDGEKEEPER_ALLOW_V1',
    help: 'let in agents without a device key in production, too',
  }),
  logFormat: optional(oneOf(LOG_FORMATS), {
    flag: '--log <format>',
    variable: 'BRIDGEKEEPER_LOG',
    help: `security log on standard output: ${LOG_FORMATS.join(', ')}; the file is always JSON`,
    example: 'json',
    unset: 'human on a terminal, else json',
  }),
  maxConnections: withDefault(integer(1, MAX_SOCKETS), {
    variable: 'BRIDGEKEEPER_MAX_CONNECTIONS',
    help: 'open sockets of any kind',
    example: '5000',
    default: String(MAX_CONNECTIONS),
  }),
  maxConnectionsPerAddress: withDefault(integer(1, MAX_SOCKETS), {
    variable: 'BRIDGEKEEPER_MAX_CONNECTIONS_PER_ADDRESS',
    help: 'open sockets of one address, trusted proxies excepted',
    example: '100',
    default: String(MAX_SOCKETS_PER_ADDRESS),
  }),
  rateLimit: withDefault(limit, {
    variable: 'BRIDGEKEEPER_RATE_LIMIT',
    help: 'calls of each user: COUNT/WINDOW/BLOCK',
    example: '100/1m/15m',
    default: limitText({ count: DEFAULT_RATE_LIMIT.maxCalls, ...DEFAULT_RATE_LIMIT }),
  }),
  tokenRateLimit: optional(limit, {
    variable: 'BRIDGEKEEPER_TOKEN_RATE_LIMIT',
    help: 'calls of each token',
    example: '50/1m/15m',
  }),
  toolRateLimits: list(toolLimit, {
    variable: 'BRIDGEKEEPER_TOOL_RATE_LIMITS',
    help: "each user's calls of a tool",
    example: 'memory/read_graph=10/1m/15m',
  }),
  addressFailures: withDefault(limit, {
    variable: 'BRIDGEKEEPER_ADDRESS_FAILURES',
    help: 'failed logins that block an address',
    example: '10/1m/1h',
    default: limitText({ count: DEFAULT_FAILURE_LIMIT.failures, ...DEFAULT_FAILURE_LIMIT }),
  }),
  fingerprints: withDefault(oneOf(FINGERPRINT_POLICIES), {
    variable: 'BRIDGEKEEPER_FINGERPRINTS',
    help: `reaction to a login from another address or program: ${FINGERPRINT_POLICIES.join(', ')}`,
    example: 'challenge',
    default: 'observe',
  }),
  nameChars: withDefault(integer(NAME_CHARS_RANGE.min, NAME_CHARS_RANGE.max, 'characters'), {
    variable: 'BRIDGEKEEPER_NAME_CHARS',
    help: 'longest name of a tool or prompt on /mcp; clients add a prefix of their own',
    example: '40',
    default: String(DEFAULT_NAME_CHARS),
  }),
  callTimeoutMs: withDefault(integer(1, MAX_CALL_TIMEOUT_MS, 'milliseconds'), {
    variable: 'BRIDGEKEEPER_CALL_TIMEOUT_MS',
    help: 'time limit of a call in milliseconds; progress of the call begins it again',
    example: '120000',
    default: String(DEFAULT_CALL_TIMEOUT_MS),
  }),
  maxCallMs: withDefault(integer(1, MAX_CALL_TIMEOUT_MS, 'milliseconds'), {
    variable: 'BRIDGEKEEPER_MAX_CALL_MS',
    help: 'longest duration of a call that shows progress, in milliseconds',
    example: '7200000',
    default: String(DEFAULT_MAX_CALL_MS),
  }),
  maxPendingCalls: withDefault(integer(1, MAX_PENDING_CALLS, 'calls'), {
    variable: 'BRIDGEKEEPER_MAX_PENDING_CALLS',
    help: 'calls that may wait for one agent',
    example: '128',
    default: String(DEFAULT_MAX_PENDING_CALLS),
  }),
  maxBodyBytes: withDefault(integer(limits.messageBytes, limits.payloadBytes, 'bytes'), {
    variable: 'BRIDGEKEEPER_MAX_BODY_BYTES',
    help: 'longest body of a request at /mcp, in bytes',
    example: '16777216',
    default: String(DEFAULT_MAX_BODY_BYTES),
  }),
  jwksUrl: optional(secureUrl, {
    variable: 'BRIDGEKEEPER_JWKS_URL',
    help: "key set (jwks_uri) of an identity provider whose tokens replace the bridge's own",
    example: 'https://login.example.com/jwks',
    isPrivate: true,
  }),
  jwtIssuer: optional(text, {
    variable: 'BRIDGEKEEPER_JWT_ISSUER',
    help: "issuer of that provider's tokens",
    example: 'https://login.example.com',
  }),
  jwtAudience: optional(text, {
    variable: 'BRIDGEKEEPER_JWT_AUDIENCE',
    help: "audience of that provider's tokens",
    example: 'bridgekeeper',
  }),
  ssoIssuer: optional(secureUrl, {
    variable: 'BRIDGEKEEPER_SSO_ISSUER',
    help: 'OpenID provider at which users may log in',
    example: 'https://login.example.com',
    isPrivate: true,
  }),
  ssoClientId: optional(text, {
    variable: 'BRIDGEKEEPER_SSO_CLIENT_ID',
    help: "the bridge's client id at that provider",
    example: 'bridgekeeper',
  }),
  ssoName: withDefault(text, {
    variable: 'BRIDGEKEEPER_SSO_NAME',
    help: "the provider's name on the login page",
    example: 'Example Inc.',
    default: 'your organisation',
  }),
  ssoCreate: toggle({
    variable: 'BRIDGEKEEPER_SSO_CREATE',
    help: 'create an account for a new user with a verified email',
  }),
}

/** Secrets of an installation. Only the OpenID client secret is part of the settings object. */
export const SECRETS = {
  jwtSecret: secret({
    variable: 'JWT_SECRET',
    help: 'secret that signs tokens, at least 32 bytes; nodes with one database share it',
    unset: 'in development made and kept in the data folder',
  }),
  databaseUrl: secret({
    variable: 'DATABASE_URL',
    help: 'PostgreSQL database: `postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full`',
    unset: 'SQLite in the data folder',
  }),
  ssoClientSecret: secret({
    variable: 'BRIDGEKEEPER_SSO_CLIENT_SECRET',
    help: "the bridge's client secret at the OpenID provider",
  }),
}

function limitText({ count, windowMs, blockMs }: Limit): string {
  return `${count}/${durationText(windowMs)}/${durationText(blockMs)}`
}
