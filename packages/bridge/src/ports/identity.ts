/**
 * What identity keeps and whom it tells: interfaces only. All are durable unless they say otherwise, and
 * every method is atomic. When a store is down its methods reject, and whoever needs it refuses.
 */

export const SESSION_KINDS = ['browser', 'client', 'device', 'token'] as const

/**
 * What is behind a login: a browser's, an MCP client's grant, a device's, or a token that an operator issued.
 * Its id stays the same while tokens are renewed.
 */
export interface Session {
  readonly sessionId: string
  readonly userId: string
  readonly kind: (typeof SESSION_KINDS)[number]
  /** What a person calls it: the browser, the client's or the device's name. Written by a peer. */
  readonly label: string
  readonly clientId?: string | undefined
  readonly deviceId?: string | undefined
  readonly createdAtMs: number
  readonly seenAtMs: number
  /** When it ends by itself, whatever is renewed. */
  readonly expiresAtMs: number
}

/** Sessions that have not ended. One that ended is gone, and so it is found by nobody. */
export interface SessionStore {
  add(session: Session): Promise<void>
  find(sessionId: string): Promise<Session | undefined>
  ofUser(userId: string): Promise<readonly Session[]>
  /** Puts down that it was used; what is older than known is left. */
  seen(sessionId: string, atMs: number): Promise<void>
  /**
   * Ends it with all that lives by it: its refresh tokens and the records of the grant of its name.
   * @returns whether it was there
   */
  end(sessionId: string): Promise<boolean>
}

/** What became of a refresh token that was presented; `next` is the generation to go on with. */
export type Redeemed =
  | { readonly state: 'good'; readonly next: number }
  /** It was used before. Without `usedAtMs` that was several uses ago. */
  | { readonly state: 'reused'; readonly next: number; readonly usedAtMs?: number }
  | { readonly state: 'unknown' }

/**
 * Where each session is in the chain of its refresh tokens. A new session is at generation 1. A session takes the same
 * room however often it is renewed.
 */
export interface RefreshTokenStore {
  /** Of two that redeem one generation, one finds it good. One whose session ended or has run out is unknown. */
  redeem(sessionId: string, generation: number, atMs: number): Promise<Redeemed>
}

export const DEVICE_ALGORITHMS = ['Ed25519', 'ES256'] as const
export type DeviceAlgorithm = (typeof DEVICE_ALGORITHMS)[number]

/** The public half of a device's key. */
export interface DeviceKey {
  /** JWK thumbprint (RFC 7638), base64url of SHA-256. */
  readonly keyId: string
  readonly algorithm: DeviceAlgorithm
  /** 1 for the first, one more for each rotation. */
  readonly generation: number
  /** The public key as a JWK (RFC 7517), canonical JSON. */
  readonly jwk: string
  /** A replaced key is good until then; `undefined` for the current one. */
  readonly retiresAtMs?: number | undefined
}

/** One enrolled machine of a user. */
export interface Device {
  readonly deviceId: string
  readonly userId: string
  /** The session of its logins. */
  readonly sessionId: string
  /** As its user named it. */
  readonly name: string
  /** The current one first, and those that are replaced and still good. */
  readonly keys: readonly DeviceKey[]
  readonly createdAtMs: number
  readonly usedAtMs: number
}

/**
 * Enrolled devices. A revoked one is found by nobody, but its keys are remembered, the latest 1,024 of each user at
 * least: none of them is enrolled again, and its user counts as one who has devices.
 */
export interface DeviceStore {
  /** @returns whether it was added: not where one of its keys is or was any device's */
  add(device: Device): Promise<boolean>
  find(deviceId: string): Promise<Device | undefined>
  ofUser(userId: string): Promise<readonly Device[]>
  /** Whether the user has or ever had a device. */
  hasEnrolled(userId: string): Promise<boolean>
  /** Makes the key the current one, where it is of the next generation; the one before is good until then. */
  rotate(deviceId: string, key: DeviceKey, oldRetiresAtMs: number): Promise<boolean>
  /**
   * A connection was verified. The device says which was its last one before, as it remembers. One that was
   * interrupted may not have heard of its last; one that remembers neither the last nor the one that was last
   * before it is a copy.
   * @param previous connection id, empty for none
   */
  connected(
    deviceId: string,
    connectionId: string,
    previous: string,
    atMs: number,
  ): Promise<'continued' | 'diverged' | 'unknown'>
  /** Ends its session with it. @returns whether it was there */
  revoke(deviceId: string, atMs: number): Promise<boolean>
}

/** What is ended at once, wherever it is used. A client's grant is its session. */
export interface Revocation {
  readonly kind: 'user' | 'session' | 'device'
  readonly id: string
}

/**
 * Tells every node what is revoked, also what another process did. Whoever watches is told each once, in
 * order, within 300 ms; whoever begins to watch may be told of some from just before. While the store is down
 * nobody is told, and what is published rejects; afterwards nothing is missing.
 */
export interface Revocations {
  publish(revocation: Revocation): Promise<void>
  /** @returns ends the watch */
  watch(told: (revocation: Revocation) => void): () => void
  /**
   * How long ago, at most, something may have been revoked that whoever watches was not told: the age of the
   * last look, by a clock that never goes back. 0 where nothing is looked at. Beyond a bound nobody new is let in.
   */
  behindMs(): number
}

/** What a login page asks a user for. */
export interface Credentials {
  readonly userId: string
  /** PHC string of argon2id; `undefined` for a user who has none, such as one who comes from a provider. */
  readonly passwordHash?: string | undefined
  /** Sealed by whoever keeps it; `undefined` where there is no second factor. */
  readonly totpSecret?: string | undefined
  /** The last time step whose code was used: no code counts twice. */
  readonly totpUsedStep?: number | undefined
}

/** A WebAuthn credential. */
export interface Passkey {
  readonly credentialId: string
  readonly userId: string
  readonly name: string
  /** COSE key, base64url. */
  readonly publicKey: string
  readonly counter: number
  readonly transports: readonly string[]
  readonly createdAtMs: number
}

export interface CredentialStore {
  find(userId: string): Promise<Credentials | undefined>
  setPassword(userId: string, passwordHash: string | undefined): Promise<void>
  /** Another secret than before has no used steps. */
  setTotp(userId: string, totpSecret: string | undefined): Promise<void>
  /** @returns whether the step is later than any used before; of two at once, one is */
  useTotpStep(userId: string, step: number): Promise<boolean>
  addPasskey(passkey: Passkey): Promise<boolean>
  findPasskey(credentialId: string): Promise<Passkey | undefined>
  passkeysOf(userId: string): Promise<readonly Passkey[]>
  /** A counter only rises. */
  usedPasskey(credentialId: string, counter: number): Promise<void>
  removePasskey(userId: string, credentialId: string): Promise<boolean>
  /** Who an upstream provider's subject is here. */
  findUpstream(issuer: string, subject: string): Promise<string | undefined>
  /** @returns whether it was linked: not where the subject is somebody's already */
  linkUpstream(issuer: string, subject: string, userId: string): Promise<boolean>
  /** The providers' subjects that this user comes as. */
  upstreamsOf(userId: string): Promise<readonly Upstream[]>
  unlinkUpstream(userId: string, issuer: string, subject: string): Promise<boolean>
}

/** Who a user is at a provider. */
export interface Upstream {
  readonly issuer: string
  readonly subject: string
}

/** One record of the authorization server: a grant, a code, a token, a client. */
export interface OAuthRecord {
  readonly model: string
  readonly id: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly grantId?: string | undefined
  readonly userCode?: string | undefined
  readonly uid?: string | undefined
  readonly expiresAtMs?: number | undefined
  readonly consumedAtMs?: number | undefined
}

/** What has run out is found by nobody. */
export interface OAuthStore {
  /** Replaces one of the same name; what was consumed stays so. */
  put(record: OAuthRecord): Promise<void>
  find(model: string, id: string): Promise<OAuthRecord | undefined>
  findByUserCode(model: string, userCode: string): Promise<OAuthRecord | undefined>
  findByUid(model: string, uid: string): Promise<OAuthRecord | undefined>
  /** Of two that consume one record, one does: `false` where it was consumed before, or is gone. */
  consume(model: string, id: string, atMs: number): Promise<boolean>
  /** Moves its expiry to later, where it is there. */
  extend(model: string, id: string, expiresAtMs: number): Promise<void>
  /** Removes all of a model, or of its records of one grant, but so many that expire last. */
  trim(model: string, most: number, grantId?: string): Promise<void>
  remove(model: string, id: string): Promise<void>
  removeGrant(grantId: string): Promise<void>
}

/** Keys of the installation, the same on every node; each value is sealed by whoever keeps it. */
export interface KeyStore {
  get(name: string): Promise<string | undefined>
  /** Keeps it unless there is one. @returns the one that is kept */
  keep(name: string, sealed: string): Promise<string>
}
