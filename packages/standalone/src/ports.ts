/** Ports of accounts, OAuth and refresh tokens. Durable; every method is atomic and rejects while the store is down. */
import type { SecurityEvent, User, UserStore } from '@bridgekeeper/bridge'
import type { UserRole } from '@bridgekeeper/bridge/parts'

/** Users as the account pages and commands manage them. */
export interface AccountStore extends UserStore {
  /** By email, from the one after this email on; `''` begins. */
  list(afterEmail: string, limit: number): Promise<readonly User[]>
  setRole(userId: string, role: UserRole): Promise<User | undefined>
  /**
   * Removes a user and all their data: sessions, refresh tokens, credentials, passkeys, links and devices.
   * Keys of devices stay known, so that none is ever enrolled again. Publishes like `SessionStore.end`.
   * @returns whether the user existed
   */
  remove(userId: string): Promise<boolean>
}

/** Result of presenting a refresh token; `next` is the generation to continue with. */
type Redeemed =
  | { readonly state: 'good'; readonly next: number }
  /** Used before; without `usedAtMs`, several uses ago. */
  | { readonly state: 'reused'; readonly next: number; readonly usedAtMs?: number }
  | { readonly state: 'unknown' }

/**
 * Position of each session in its chain of refresh tokens. A new session starts at generation 1. Uses
 * constant space per session.
 */
export interface RefreshTokenStore {
  /**
   * Redeems a generation. If two requests compete, one succeeds. A session that ended or expired is unknown.
   */
  redeem(sessionId: string, generation: number, atMs: number): Promise<Redeemed>
}

/** Credentials for the login page. */
export interface Credentials {
  readonly userId: string
  /** PHC string of argon2id; `undefined` for a user without a password, such as one from a provider. */
  readonly passwordHash?: string | undefined
  /** Sealed by the caller; `undefined` without a second factor. */
  readonly totpSecret?: string | undefined
  /** The last used time step, so that no code counts twice. */
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
  /** The user linked to a provider's subject. */
  findLinkedUser(issuer: string, subject: string): Promise<string | undefined>
  /** @returns whether it was linked; `false` if the subject already belongs to a user */
  linkIdentity(issuer: string, subject: string, userId: string): Promise<boolean>
  /** The providers' subjects that this user comes as. */
  linkedIdentitiesOf(userId: string): Promise<readonly LinkedIdentity[]>
  unlinkIdentity(userId: string, issuer: string, subject: string): Promise<boolean>
}

/** A user's identity at a provider. */
export interface LinkedIdentity {
  readonly issuer: string
  readonly subject: string
}

/** A record of the authorization server: a grant, a code, a token, a client. */
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

/** Records of the authorization server. Expired ones are never found. */
export interface OAuthStore {
  /** Replaces one of the same name; what was consumed stays so. */
  put(record: OAuthRecord): Promise<void>
  find(model: string, id: string): Promise<OAuthRecord | undefined>
  findByUserCode(model: string, userCode: string): Promise<OAuthRecord | undefined>
  findByUid(model: string, uid: string): Promise<OAuthRecord | undefined>
  /**
   * Consumes a record. If two requests compete, one succeeds; `false` if it was consumed before, or is gone.
   */
  consume(model: string, id: string, atMs: number): Promise<boolean>
  /** Moves its expiry to a later time, if it exists. */
  extend(model: string, id: string, expiresAtMs: number): Promise<void>
  /** Removes all of a model, or of its records of one grant, but so many that expire last. */
  trim(model: string, most: number, grantId?: string): Promise<void>
  remove(model: string, id: string): Promise<void>
  removeGrant(grantId: string): Promise<void>
}

/** Records security events. A command waits until its event is stored; a node never waits for its log. */
export interface EventRecorder {
  logSecurityEvent(event: SecurityEvent): void | Promise<void>
}

/** The one who acts, for the security log. */
export interface Actor {
  /** Id of a user, or `operator` for the command line. */
  readonly by: string
  /** Address of a user's browser. */
  readonly ip?: string | undefined
}
