/** Pieces for building a node around the bridge. They may change with any version: apps use the package's main entry. */
export { letPagesRead } from './cors.ts'
export { ALL_SCOPES, CONNECT_SCOPE, LIST_SCOPE } from './gates/call-authority.ts'
export { canonicalTarget, rewriteTarget, type Target } from './gates/canonical-path.ts'
export { addressKey, type ClientAddress, TrustedProxies } from './gates/client-address.ts'
export { FINGERPRINT_POLICIES } from './gates/fingerprint.ts'
export { originPolicy } from './gates/origin.ts'
export { type Named, NameFinder, ownNames } from './gates/own-names.ts'
export { canonicalResource, enrolmentResource, isMcpResource, mcpResource } from './gates/resource.ts'
export type { TlsMode } from './gates/transport.ts'
export { denialError, denyFor } from './gates/verdict.ts'
export { DEFAULT_RATE_LIMIT, type RateLimit } from './limiters/rate-limit.ts'
export { Sampler } from './limiters/sampler.ts'
export { SlidingWindow } from './limiters/sliding-window.ts'
export { boundPipelining } from './northbound/pipelining.ts'
export { sendRefusal } from './northbound/respond.ts'
export type {
  CredentialStore,
  Credentials,
  DeviceAlgorithm,
  KeyStore,
  OAuthRecord,
  OAuthStore,
  Passkey,
  RefreshTokenStore,
  Session,
  SessionStore,
  Upstream,
} from './ports/identity.ts'
export type { AccountStore, BlockKind, EndCheck, FrontDoor, UserRole } from './ports.ts'
export { type Environment, isProduction } from './production.ts'
export { lineBody, timestamps } from './security-log/line.ts'
export { strictTransport } from './southbound/refuse.ts'
export { ACCESS_TOKEN_MS, AccessTokens, AGENT_CLIENT_ID, ENROL_SCOPE } from './tokens/access-tokens.ts'
export { MAX_TOKEN_CHARS } from './tokens/jwt.ts'
export { Recall } from './tokens/recall.ts'
export { canonicalScope } from './tokens/scopes.ts'
export { seal, unseal } from './tokens/sealed.ts'
export { ACCESS_TOKEN_ALGORITHM, loadSigningKey, type SigningKey } from './tokens/signing-key.ts'
export { newSessionId } from './tokens/tokens.ts'
