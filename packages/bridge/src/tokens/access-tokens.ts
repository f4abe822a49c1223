import { createPublicKey, type KeyObject } from 'node:crypto'
import { AGENT_CLIENT_ID, ENROL_SCOPE, isThumbprint, USER_SCOPES } from '@bridgekeeper/protocol'
import { SignJWT } from 'jose'
import { agentResource, enrolmentResource, isMcpResource } from '../gates/resource.ts'
import { allow, deny, denyGenuine, type Verdict } from '../gates/verdict.ts'
import type { DeviceStore } from '../ports/devices.ts'
import type { Revocation, Session, SessionStore } from '../ports/sessions.ts'
import type { Authenticator, Principal, System, User, UserStore } from '../ports.ts'
import { type Claims, type TokenRules, verifyJwt } from './jwt.ts'
import { Recall } from './recall.ts'
import { readScopes } from './scopes.ts'
import { noteUse } from './session-use.ts'
import { ACCESS_TOKEN_ALGORITHM, type SigningKey } from './signing-key.ts'

export const ACCESS_TOKEN_MS = 900_000

export interface AccessTokenParts {
  readonly key: SigningKey
  /** The authorization server, and the address under which the resources are named. */
  readonly issuer: string
  readonly users: UserStore
  readonly sessions: SessionStore
  readonly devices: DeviceStore
  readonly system: System
  /** Cache shared with other verifiers of this bridge. */
  readonly recalled?: Recall
}

/** Owner of a device token. */
export interface DeviceLogin {
  readonly user: User
  readonly sessionId: string
  readonly deviceId: string
  /** Thumbprint of the device's current key. */
  readonly keyId: string
}

/** Content of an enrolment token: the name and key that its user approved. */
export interface Enrolment {
  readonly userId: string
  /** Ended by the enrolment, so that the token works once. */
  readonly sessionId: string
  readonly deviceName: string
  /** Thumbprint of the key that is to be enrolled. */
  readonly deviceKey: string
  readonly boundKeyId?: string
}

export interface DeviceToken {
  readonly accessToken: string
  readonly expiresAtMs: number
}

/** A token with valid signature, claims, user and session. */
interface Held {
  readonly claims: Claims
  readonly user: User
  readonly session: Session
  readonly boundKeyId: string | undefined
}

/**
 * The authorization server's access tokens, of clients and of devices: made for one resource each.
 * Source: RFC 9068 sections 2 and 4, RFC 8725 sections 3.1, 3.8 to 3.12, RFC 7800 section 3.1.
 */
export class AccessTokens implements Authenticator {
  readonly #parts: AccessTokenParts
  readonly #recalled: Recall
  readonly #publicKey: KeyObject
  readonly #agents: string
  readonly #enrolment: string

  constructor(parts: AccessTokenParts) {
    this.#parts = parts
    this.#recalled = parts.recalled ?? new Recall(parts.system)
    this.#publicKey = createPublicKey(parts.key.privateKey)
    this.#agents = agentResource(parts.issuer)
    this.#enrolment = enrolmentResource(parts.issuer)
  }

  recall(token: string): Principal | undefined {
    return this.#recalled.get(token)
  }

  forget(revoked: Revocation): void {
    this.#recalled.forget(revoked)
  }

  async authenticate(token: string): Promise<Verdict<Principal>> {
    const remember = this.#recalled.begin(token)
    const isOurs = (audience: string): boolean =>
      audience === this.#agents || isMcpResource(this.#parts.issuer, audience)
    const held = await this.#verify(token, isOurs)
    if (!held.allowed) return held
    const { claims, session } = held.value
    const isDevices = claims.aud === this.#agents
    const device = isDevices ? await this.#deviceOf(held.value) : allow(undefined)
    if (!device.allowed) return device
    if (!isDevices && session.kind !== 'client') return denyGenuine('token_invalid')
    const principal = principalOf(held.value, device.value)
    remember(principal)
    await noteUse(this.#parts.sessions, session, this.#parts.system.nowMs())
    return allow(principal)
  }

  /** For `POST /api/devices` alone; nothing of it is recalled. */
  async verifyEnrolment(token: string): Promise<Verdict<Enrolment>> {
    const held = await this.#verify(token, (audience) => audience === this.#enrolment)
    if (!held.allowed) return held
    const { claims, user, session, boundKeyId } = held.value
    const { device_name: deviceName, device_key: deviceKey, scope } = claims
    if (typeof deviceName !== 'string' || typeof deviceKey !== 'string' || scope !== ENROL_SCOPE)
      return denyGenuine('token_invalid')
    if (!isThumbprint(deviceKey) || session.clientId !== AGENT_CLIENT_ID) return denyGenuine('token_invalid')
    const bound = boundKeyId === undefined ? {} : { boundKeyId }
    return allow({ userId: user.userId, sessionId: session.sessionId, deviceName, deviceKey, ...bound })
  }

  /** A token with which this device may connect: 15 minutes, bound to its key. */
  async deviceToken({ user, sessionId, deviceId, keyId }: DeviceLogin): Promise<DeviceToken> {
    const { key, issuer, system } = this.#parts
    const nowSeconds = Math.floor(system.nowMs() / 1_000)
    const expiresAtSeconds = nowSeconds + ACCESS_TOKEN_MS / 1_000
    const accessToken = await new SignJWT({
      sid: sessionId,
      tv: user.tokenVersion,
      client_id: AGENT_CLIENT_ID,
      scope: USER_SCOPES.join(' '),
      did: deviceId,
      cnf: { jkt: keyId },
    })
      .setProtectedHeader({ alg: ACCESS_TOKEN_ALGORITHM, typ: 'at+jwt', kid: key.keyId })
      .setIssuer(issuer)
      .setAudience(this.#agents)
      .setSubject(user.userId)
      .setJti(system.randomBytes(16).toString('hex'))
      .setIssuedAt(nowSeconds)
      .setExpirationTime(expiresAtSeconds)
      .sign(key.privateKey)
    return { accessToken, expiresAtMs: expiresAtSeconds * 1_000 }
  }

  /** @param isFor whether an audience is one that the token may have here */
  async #verify(token: string, isFor: (audience: string) => boolean): Promise<Verdict<Held>> {
    const { issuer, users, sessions, system } = this.#parts
    const rules: TokenRules = {
      algorithms: [ACCESS_TOKEN_ALGORITHM],
      typ: 'at+jwt',
      issuer,
      audience: isFor,
      requiredClaims: ['sub', 'sid', 'tv', 'exp', 'iat', 'jti', 'client_id', 'scope'],
    }
    const verified = await verifyJwt(token, async () => this.#publicKey, rules, system)
    if (!verified.allowed) return verified
    const claims = verified.value
    const { sub, sid, tv, scope } = claims
    const boundKeyId = keyIdOf(claims)
    if (typeof sub !== 'string' || typeof sid !== 'string' || typeof tv !== 'number')
      return denyGenuine('token_invalid')
    if (typeof scope !== 'string' || boundKeyId === null) return denyGenuine('token_invalid')

    const [user, session] = await Promise.all([users.findById(sub), sessions.find(sid)])
    if (user === undefined) return deny('user_unknown')
    if (user.tokenVersion !== tv) return deny('login_revoked')
    if (user.state !== 'active') return deny('user_suspended')
    if (session?.userId !== sub || session.expiresAtMs <= system.nowMs()) return deny('login_revoked')
    return allow({ claims, user, session, boundKeyId })
  }

  /** A device token names an enrolled device of its user and session, and a key of that to prove. */
  async #deviceOf({ claims, user, session, boundKeyId }: Held): Promise<Verdict<string>> {
    const { did } = claims
    if (typeof did !== 'string' || boundKeyId === undefined) return denyGenuine('token_invalid')
    if (session.kind !== 'device' || session.deviceId !== did) return denyGenuine('token_invalid')
    const device = await this.#parts.devices.find(did)
    const isTheirs = device?.userId === user.userId && device.sessionId === session.sessionId
    if (!isTheirs || !device.keys.some(({ keyId }) => keyId === boundKeyId)) return deny('login_revoked')
    return allow(did)
  }
}

function principalOf({ claims, user, session, boundKeyId }: Held, deviceId: string | undefined): Principal {
  return {
    userId: user.userId,
    sessionId: session.sessionId,
    expiresAtMs: claims.exp * 1_000,
    scopes: readScopes(String(claims.scope)),
    resource: String(claims.aud),
    ...(deviceId !== undefined && { deviceId }),
    ...(boundKeyId !== undefined && { boundKeyId }),
  }
}

/** The key that a token is bound to; `undefined` for none, `null` for a confirmation that we cannot check. */
function keyIdOf({ cnf }: Claims): string | undefined | null {
  if (cnf === undefined) return undefined
  const { jkt, ...others } = Object(cnf) as Record<string, unknown>
  const isOurs = typeof jkt === 'string' && isThumbprint(jkt) && Object.keys(others).length === 0
  return isOurs ? jkt : null
}
