export { memoryRevocations } from './adapters/memory/revocations.ts'
export { callbackLog } from './adapters/memory/security-log.ts'
export { memoryUsers } from './adapters/memory/users.ts'
export type { CallOptions, ListedTool } from './app-calls.ts'
export { type Bridge, createBridge } from './bridge.ts'
export type { BridgeOptions, BridgeStores, EnrolmentOptions, ProofOptions } from './bridge-options.ts'
export { ToolError } from './calls/result.ts'
export type { RequestFacts } from './gates/request-facts.ts'
export { allow, type Denied, deny, type Verdict } from './gates/verdict.ts'
export type { AppIdentity, Authenticate } from './identity/app-identity.ts'
export { createJwksAuthenticator, type Identity, type JwksOptions } from './identity/jwks.ts'
export { createTokens, type IssuedToken, type Tokens } from './identity/tokens.ts'
export type { Device, DeviceKey, DeviceStore, Revocation, Revocations } from './ports/identity.ts'
export type {
  Authenticator,
  BlockStore,
  Caller,
  CallTimesStore,
  FingerprintStore,
  Principal,
  SecurityLog,
  System,
  User,
  UserState,
  UserStore,
} from './ports.ts'
export { BLOCK_KINDS, type Block } from './ports.ts'
export { type EventName, type SecurityEvent, type Severity, securityEvents } from './security-log/events.ts'
export {
  type ChainedLog,
  createSecurityLog,
  type LineSink,
  type SecurityLogOptions,
} from './security-log/security-log.ts'
export { streamLog } from './security-log/stream-log.ts'
export { streamSink } from './security-log/stream-sink.ts'
export { type Problem, type Verification, verifyLog } from './security-log/verify.ts'
export { verifySecurityLog } from './standalone/audit.ts'
export type { TlsEvent, TlsFiles } from './standalone/certificate.ts'
export { DataFolder } from './standalone/data-folder.ts'
export { durationMs } from './standalone/duration.ts'
export type { Environment } from './standalone/secret.ts'
export { type Node, type ServeOptions, serve } from './standalone/serve.ts'
export { SetupError, type SetupErrorCode } from './standalone/setup-error.ts'
export { type BridgeSettings, bridgeSettings, type ReachOptions } from './standalone/transport.ts'
export { realSystem } from './system.ts'
