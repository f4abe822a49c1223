import { AGENT_PATH } from '@bridgekeeper/protocol'
import { Admission, type AdmissionOptions } from './admission/admission.ts'
import { DeviceVerifier } from './admission/device-verifier.ts'
import { DurableBlocks } from './admission/durable-blocks.ts'
import { DurableCallTimes } from './admission/durable-call-times.ts'
import { Fingerprints } from './admission/fingerprints.ts'
import { Revoker } from './admission/revoker.ts'
import { AppEvents } from './bridge-events.ts'
import {
  type BridgeOptions,
  DEFAULT_CALL_TIMEOUT_MS,
  DEFAULT_MAX_BODY_BYTES,
  DEFAULT_MAX_CALL_MS,
  DEFAULT_MAX_PENDING_CALLS,
} from './bridge-options.ts'
import { Directory } from './directory/directory.ts'
import { type ExchangeLimits, ExchangeTable } from './exchanges/exchange-table.ts'
import { InFlight } from './exchanges/in-flight.ts'
import { MachineClients } from './exchanges/machine-clients.ts'
import { DEFAULT_COOKIE, isCookieName } from './gates/credential.ts'
import { originPolicy } from './gates/front-door.ts'
import { OwnAddresses } from './gates/own-addresses.ts'
import { ownNames } from './gates/own-names.ts'
import { TrustedProxies } from './gates/request-facts.ts'
import { RateLimiter } from './limiters/rate-limit.ts'
import { memoryFingerprints } from './memory.ts'
import { McpEndpoint } from './northbound/endpoint.ts'
import { McpSessions } from './northbound/mcp-session.ts'
import { ResourceMetadata } from './northbound/resource-metadata.ts'
import { ExposedNames } from './northbound/tool-names.ts'
import type { Authenticator, SecurityLog, System } from './ports.ts'
import { isProduction } from './production.ts'
import { CallGates } from './router/call-gates.ts'
import { Dispatcher } from './router/dispatcher.ts'
import { streamLog } from './security-log/stream-log.ts'
import { AgentEndpoint } from './southbound/endpoint.ts'
import type { AgentListener } from './southbound/open-agent.ts'
import { authenticatorOf } from './tokens/authenticator.ts'
import { KeyRing } from './tokens/key-ring.ts'

const FINGERPRINT_KEY_BYTES = 32

/** Creates the parts of a bridge and passes each the others that it needs. */
export function assemble(options: BridgeOptions, system: System) {
  const authenticator = authenticatorOf(options, system)
  const entry = admissionOptions(options)
  const log = options.securityLog ?? streamLog(process.stdout, system)
  const callLimits = callLimitsOf(options)
  const calls = callParts(options, callLimits, log, system)
  const { directory, dispatcher, clients, blocks } = calls
  const revoker = new Revoker(options.revocations, authenticator, log, (each) => {
    directory.forget(each)
    clients.revoked(each)
  })
  const admission = new Admission(entry, {
    authenticator,
    deviceVerifier: deviceVerifier(options, authenticator, log, system),
    revoker,
    blocks,
    fingerprints: fingerprints(options, log, system),
    log,
    system,
  })
  const events = new AppEvents()
  const listener = agentListener({ ...calls, revoker, events })
  const agents = new AgentEndpoint(admission, listener, system, log, callLimits)
  const metadata = resourceMetadata(options)
  const sessions = new McpSessions(new KeyRing(options.sessionKeys, system), system)
  const names = new ExposedNames(options.nameChars)
  const mcp = new McpEndpoint(admission, {
    directory,
    names,
    dispatcher,
    sessions,
    metadata,
    log,
    system,
    maxBodyBytes: options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES,
  })
  return {
    admission,
    agents,
    events,
    mcp,
    metadata,
    names,
    directory,
    dispatcher,
    inFlight: calls.inFlight,
    limiter: calls.limiter,
    blocks,
    callTimes: calls.callTimes,
    revoker,
    authenticator,
    log,
    /** Origins whose pages may use the bridge. */
    origins: entry.origins.origins,
  }
}

function callLimitsOf({ callTimeoutMs, maxCallMs, maxPendingCalls }: BridgeOptions): ExchangeLimits {
  return {
    callTimeoutMs: callTimeoutMs ?? DEFAULT_CALL_TIMEOUT_MS,
    maxCallMs: maxCallMs ?? DEFAULT_MAX_CALL_MS,
    maxPendingCalls: maxPendingCalls ?? DEFAULT_MAX_PENDING_CALLS,
  }
}

/** The parts that every call and exchange passes. */
function callParts(options: BridgeOptions, callLimits: ExchangeLimits, log: SecurityLog, system: System) {
  const blocks = new DurableBlocks(options.stores?.blocks, system, ({ kind, key }) => {
    if (kind === 'calls') limiter.resetRateLimit(key)
  })
  const limiter = new RateLimiter(blocks.list, options.rateLimits)
  const callTimes = new DurableCallTimes(options.stores?.callTimes, limiter.userWindow, system)
  const inFlight = new InFlight()
  const exchanges = new ExchangeTable(system, inFlight, callLimits)
  const clients = new MachineClients()
  const directory = new Directory(exchanges, clients, system)
  const gates = new CallGates(limiter, log, system, {
    began: (key, untilMs) => blocks.save({ kind: 'calls', key, untilMs }),
    recheck: (key) => blocks.recheck({ kind: 'calls', key }),
  })
  const dispatcher = new Dispatcher(directory, gates, log, inFlight)
  return { blocks, limiter, callTimes, inFlight, exchanges, clients, directory, dispatcher }
}

function agentListener({
  directory,
  exchanges,
  clients,
  dispatcher,
  revoker,
  events,
}: {
  readonly directory: Directory
  readonly exchanges: ExchangeTable
  readonly clients: MachineClients
  readonly dispatcher: Dispatcher
  readonly revoker: Revoker
  readonly events: AppEvents
}): AgentListener {
  return {
    earlier: (principal) => directory.ofLogin(principal),
    // The store already has the revocation; a node that misses it learns of it at the next renewal.
    copied: (deviceId) => void revoker.revoke({ kind: 'device', id: deviceId }).catch(() => {}),
    verified(connection) {
      clients.connected(connection)
      directory.registerConnection(connection)
      events.emit('agent-connected', connection)
    },
    ended(connection) {
      directory.remove(connection)
      clients.ended(connection)
      exchanges.cut(connection)
      events.emit('agent-disconnected', connection)
    },
    catalogChanged(connection, catalog) {
      directory.report(connection, catalog)
      events.emit('tools-changed', connection)
    },
    exchangeFrame: (connection, frame) => exchanges.received(connection, frame),
    endRefused: (connection, id, code) => exchanges.endRefused(connection, id, code),
    execute: ({ principal: { userId, sessionId, scopes }, ip }, call, settle, obstacle) =>
      dispatcher.call({ userId, sessionId, scopes, ip }, call, settle, obstacle),
  }
}

/** @throws TypeError for an invalid proxy, URL, origin or cookie name */
function admissionOptions(options: BridgeOptions): AdmissionOptions {
  const { cookie = DEFAULT_COOKIE } = options
  if (!isCookieName(cookie))
    throw new TypeError(`cookie must be a valid cookie name, got ${JSON.stringify(cookie)}.`)
  const production = options.production ?? isProduction(process.env)
  return {
    transport: { mode: options.tls ?? 'required', loopbackPlain: !production },
    proxies: new TrustedProxies(options.trustedProxies ?? []),
    cookie,
    origins: originPolicy(options.publicUrls ?? [], options.allowedOrigins),
    publicUrls: ownNames(options.publicUrls ?? []),
    failures: options.addressFailures,
    connections: options.connectionLimits,
    proofs: { production, allowEcho: options.allowV1 ?? false },
  }
}

/** @throws TypeError for an authorization server without an address under which the bridge is known to it */
function resourceMetadata({ authorizationServers = [], publicUrls = [] }: BridgeOptions) {
  if (authorizationServers.length === 0) return undefined
  if (publicUrls.length === 0)
    throw new TypeError('authorizationServers requires publicUrls, the addresses of the bridge.')
  return new ResourceMetadata({ publicUrls, authorizationServers })
}

/** @throws TypeError for an invalid URL */
function deviceVerifier(
  { proof, publicUrls = [] }: BridgeOptions,
  authenticator: Authenticator,
  log: SecurityLog,
  system: System,
): DeviceVerifier | undefined {
  if (proof === undefined) return undefined
  const addresses = new OwnAddresses(publicUrls, AGENT_PATH)
  return new DeviceVerifier({ ...proof, addresses, authenticator, log, system })
}

function fingerprints(options: BridgeOptions, log: SecurityLog, system: System): Fingerprints {
  const policy = options.fingerprints ?? 'observe'
  const key = options.fingerprintKey ?? Buffer.from(system.randomBytes(FINGERPRINT_KEY_BYTES))
  return new Fingerprints({ policy, key }, options.stores?.fingerprints ?? memoryFingerprints(), log, system)
}
