/** Pieces for building a node around the bridge. They may change with any version: apps use the package's main entry. */

export { DEFAULT_FAILURE_LIMIT } from './admission/address-guard.ts'
export { boundPipelining } from './attach.ts'
export {
  DEFAULT_CALL_TIMEOUT_MS,
  DEFAULT_MAX_BODY_BYTES,
  DEFAULT_MAX_CALL_MS,
  DEFAULT_MAX_PENDING_CALLS,
} from './bridge-options.ts'
export { letPagesRead } from './cors.ts'
export { canonicalTarget, pathOf, rewriteTarget, type Target } from './gates/canonical-path.ts'
export { FINGERPRINT_POLICIES } from './gates/fingerprint.ts'
export { originPolicy, strictTransport, TLS_MODES, type TlsMode } from './gates/front-door.ts'
export { type Named, NameFinder, ownNames } from './gates/own-names.ts'
export { addressKey, type ClientAddress, TrustedProxies } from './gates/request-facts.ts'
export { canonicalResource, enrolmentResource, isMcpResource, mcpResource } from './gates/resource.ts'
export { denialError, denyFor } from './gates/verdict.ts'
export { DEFAULT_RATE_LIMIT } from './limiters/rate-limit.ts'
export { Sampler } from './limiters/sampler.ts'
export { SlidingWindow } from './limiters/sliding-window.ts'
export { sendRefusal } from './northbound/respond.ts'
export { DEFAULT_NAME_CHARS, NAME_CHARS_RANGE } from './northbound/tool-names.ts'
export type { DeviceAlgorithm } from './ports/devices.ts'
export type { KeyStore } from './ports/keys.ts'
export type { LoginSession, Session, SessionStore, TokenSession } from './ports/sessions.ts'
export type { BlockKind, EndCheck, FrontDoor, UserRole } from './ports.ts'
export { type Environment, isProduction } from './production.ts'
export { lineBody, timestamps } from './security-log/line.ts'
export { realSystem } from './system.ts'
export { ACCESS_TOKEN_MS, AccessTokens } from './tokens/access-tokens.ts'
export { MAX_TOKEN_CHARS } from './tokens/jwt.ts'
export { loadKeptKey } from './tokens/kept-key.ts'
export { Recall } from './tokens/recall.ts'
export { canonicalScope } from './tokens/scopes.ts'
export { seal, unseal } from './tokens/sealed.ts'
export { ACCESS_TOKEN_ALGORITHM, loadSigningKey, type SigningKey } from './tokens/signing-key.ts'
export { createTokens, newSessionId } from './tokens/tokens.ts'
