export { BridgeError, type ErrorCode, type ToolDefinition } from '@bridgekeeper/protocol'
export type { CallOptions, ListedTool } from './app-calls.ts'
export { type Bridge, createBridge } from './bridge.ts'
export type { AgentNotice, BridgeEvents } from './bridge-events.ts'
export type { BridgeOptions, BridgeStores, EnrolmentOptions, ProofOptions } from './bridge-options.ts'
export { type ToolContent, ToolError, type ToolResult } from './calls/result.ts'
export type { RequestFacts } from './gates/request-facts.ts'
export { allow, type Denied, deny, type Verdict } from './gates/verdict.ts'
export { callbackLog, memoryRevocations, memoryUsers } from './memory.ts'
export type { Device, DeviceKey, DeviceStore } from './ports/devices.ts'
export type { Revocation, Revocations } from './ports/sessions.ts'
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
export { streamLog } from './security-log/stream-log.ts'
export { type LineSink, streamSink } from './security-log/stream-sink.ts'
export { realSystem } from './system.ts'
export type { AppIdentity, Authenticate } from './tokens/app-identity.ts'
export { type ClaimedIdentity, createJwksAuthenticator, type JwksOptions } from './tokens/jwks.ts'
export { createTokens, type IssuedToken, type Tokens } from './tokens/tokens.ts'
