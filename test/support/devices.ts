import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import type {
  Authenticator,
  BridgeOptions,
  Device,
  DeviceKey,
  DeviceStore,
  Principal,
  ProofOptions,
} from '@bridgekeeper/bridge'
import {
  agentSigned,
  bridgeSigned,
  canonicalJson,
  type TranscriptFacts,
  thumbprint,
  transcript,
} from '@bridgekeeper/protocol'
import { startBridge, type TestBridge } from './bridge.ts'
import { MemoryDevices } from './memory-devices.ts'
import { dial, type Message, type Peer, type PeerOptions } from './peer.ts'

export const AGENT_PATH = '/api/mcp-ws'
const HOUR_MS = 3_600_000

export type Algorithm = DeviceKey['algorithm']

/** A device's key with its private half. */
export interface HeldKey {
  readonly public: DeviceKey
  readonly private: KeyObject
}

export function makeKey(generation = 1, algorithm: Algorithm = 'Ed25519'): HeldKey {
  const { publicKey, privateKey } =
    algorithm === 'Ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    public: { keyId: keyIdOf(publicKey), algorithm, generation, jwk: jwkOf(publicKey) },
    private: privateKey,
  }
}

export function keyIdOf(key: KeyObject): string {
  const jwk = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' })
  return thumbprint(jwk)
}

function jwkOf(publicKey: KeyObject): string {
  return canonicalJson(publicKey.export({ format: 'jwk' }))
}

/** An enrolled machine, as seen by a bridge. A copy has the same key and memory. */
export class TestDevice {
  readonly deviceId: string
  readonly userId: string
  readonly sessionId: string
  readonly accessToken: string
  key: HeldKey
  /** The last connection that it remembers. */
  previous = ''

  constructor(
    principal: Pick<Principal, 'userId' | 'sessionId' | 'deviceId'>,
    accessToken: string,
    key: HeldKey,
  ) {
    this.userId = principal.userId
    this.sessionId = principal.sessionId
    this.deviceId = principal.deviceId ?? ''
    this.accessToken = accessToken
    this.key = key
  }

  copy(): TestDevice {
    return Object.assign(new TestDevice(this, this.accessToken, this.key), { previous: this.previous })
  }
}

/** A proof for the wire, and the text that it signs. */
export interface MadeProof {
  readonly proof: {
    readonly keyId: string
    readonly nonce: string
    readonly previous: string
    readonly signature: string
  }
  readonly transcript: Buffer
  readonly signature: Buffer
  readonly connectionId: string
}

export type Changes = Partial<TranscriptFacts>

/** Answers a challenge as the device would. @param changes overrides of the signed facts */
export function prove(device: TestDevice, challenge: Message, url: string, changes: Changes = {}): MadeProof {
  const asked = challenge.proof as { connectionId: string; keyId: string }
  const facts: TranscriptFacts = {
    purpose: 'connect',
    offeredSubprotocols: 'bridgekeeper.v2',
    origin: url,
    path: AGENT_PATH,
    connectionId: asked.connectionId,
    challenge: Buffer.from(String(challenge.challenge), 'hex'),
    nonce: randomBytes(32),
    userId: device.userId,
    sessionId: device.sessionId,
    deviceId: device.deviceId,
    keyId: device.key.public.keyId,
    generation: device.key.public.generation,
    bridgeKeyId: asked.keyId,
    tokenHash: createHash('sha256').update(device.accessToken).digest(),
    bindingType: 'none',
    bindingValue: Buffer.alloc(0),
    previous: device.previous,
    ...changes,
  }
  const bytes = transcript(facts)
  const signature = signWith(device.key, agentSigned(bytes))
  const { keyId, nonce, previous } = facts
  return {
    proof: {
      keyId,
      nonce: Buffer.from(nonce).toString('base64url'),
      previous,
      signature: signature.toString('base64url'),
    },
    transcript: bytes,
    signature,
    connectionId: facts.connectionId,
  }
}

export function signWith({ private: key, public: { algorithm } }: HeldKey, bytes: Buffer): Buffer {
  return algorithm === 'Ed25519'
    ? sign(null, bytes, key)
    : sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' })
}

/** Whether the bridge's answer is signed by this key for this proof. */
export function isCountersigned(bridgeKey: KeyObject, made: MadeProof, verified: Message): boolean {
  const { signature } = verified.proof as { signature: string }
  const bytes = bridgeSigned(made.transcript, made.signature)
  return verify(null, bytes, createPublicKey(bridgeKey), Buffer.from(signature, 'base64url'))
}

/** Valid tokens, by their text; any other token is left to the next verifier. */
export class TokenTable implements Authenticator {
  readonly principals = new Map<string, Principal>()
  readonly #next: Authenticator | undefined

  constructor(next?: Authenticator) {
    this.#next = next
  }

  /** Makes it a token that is bound to no key. */
  unbind(token: string): void {
    const { boundKeyId: _bound, ...principal } = this.principals.get(token) as Principal
    this.principals.set(token, principal)
  }

  recall(token: string): Principal | undefined {
    return this.principals.get(token) ?? this.#next?.recall(token)
  }

  async authenticate(token: string): ReturnType<Authenticator['authenticate']> {
    const principal = this.principals.get(token)
    if (principal !== undefined) return { allowed: true, value: principal }
    return this.#next?.authenticate(token) ?? { allowed: false, code: 'token_invalid' }
  }
}

/** A device that is enrolled in this store from now on. */
export async function enrolIn(
  devices: DeviceStore,
  login: Pick<Device, 'userId' | 'sessionId' | 'deviceId'>,
  accessToken: string,
  algorithm?: Algorithm,
): Promise<TestDevice> {
  const key = makeKey(1, algorithm)
  const device = { ...login, name: 'a machine', keys: [key.public], createdAtMs: 0, usedAtMs: 0 }
  if (!(await devices.add(device))) throw new Error('The device cannot be enrolled.')
  return new TestDevice(login, accessToken, key)
}

export interface DeviceBridge extends TestBridge {
  readonly devices: DeviceStore
  readonly key: KeyObject
  readonly tokens: TokenTable
  /** Enrols a device of this user, with a separate token. */
  enrol(name: string, algorithm?: Algorithm): Promise<TestDevice>
  /** Issues another token of the device. */
  tokenFor(device: TestDevice, changes?: Partial<Principal>): string
}

export interface DeviceBridgeOptions extends Partial<Omit<BridgeOptions, 'proof'>> {
  readonly proof?: Partial<ProofOptions>
  /** Verifies tokens of users without a device. */
  readonly next?: Authenticator
}

/** A bridge at which devices are enrolled. */
export async function startDeviceBridge({
  next,
  ...options
}: DeviceBridgeOptions = {}): Promise<DeviceBridge> {
  const tokens = new TokenTable(next)
  const devices = options.proof?.devices ?? new MemoryDevices()
  const key = options.proof?.key ?? generateKeyPairSync('ed25519').privateKey
  const at = await startBridge({ authenticator: tokens, ...options, proof: { devices, key } })
  let count = 0
  const nowMs = (): number => options.system?.nowMs() ?? Date.now()
  const tokenFor = (
    { userId, sessionId, deviceId, key }: TestDevice,
    changes: Partial<Principal> = {},
  ): string => {
    const token = `token-${++count}-${randomBytes(8).toString('hex')}`
    const boundKeyId = key.public.keyId
    const expiresAtMs = nowMs() + HOUR_MS
    tokens.principals.set(token, { userId, sessionId, deviceId, boundKeyId, expiresAtMs, ...changes })
    return token
  }
  const enrol = async (name: string, algorithm?: Algorithm): Promise<TestDevice> => {
    const login = { userId: `user_${name}`, sessionId: `session-${++count}`, deviceId: `device-${count}` }
    const device = await enrolIn(devices, login, '', algorithm)
    return Object.assign(device, { accessToken: tokenFor(device) })
  }
  return { ...at, devices, key, tokens, enrol, tokenFor }
}

export interface ProvenPeer {
  readonly peer: Peer
  readonly made: MadeProof
  readonly challenge: Message
}

/** A device's socket with its challenge still open. */
export async function challengedDevice(
  at: TestBridge,
  device: TestDevice,
  options: PeerOptions = {},
): Promise<{ readonly peer: Peer; readonly challenge: Message }> {
  const peer = dial(at, { token: device.accessToken, v2: true, ...options })
  return { peer, challenge: await peer.next('challenge') }
}

/** A device that has proven itself, and remembers so. */
export async function provenDevice(
  at: TestBridge,
  device: TestDevice,
  options: PeerOptions = {},
): Promise<ProvenPeer> {
  const { peer, challenge } = await challengedDevice(at, device, options)
  const made = prove(device, challenge, at.url)
  peer.send({ type: 'challenge_response', proof: made.proof })
  await peer.next('challenge_verified')
  device.previous = made.connectionId
  return { peer, made, challenge }
}
