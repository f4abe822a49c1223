import type { System } from '@bridgekeeper/bridge'
import { seal, unseal } from '@bridgekeeper/bridge/parts'
import { Secret, TOTP } from 'otpauth'
import type { CredentialStore, Credentials } from '../ports.ts'

/** Defaults of authenticator apps. Source: RFC 6238 section 5.2, RFC 4226 section 4 (R6). */
const PERIOD_SECONDS = 30
const SECRET_BYTES = 20
/** Time steps accepted before and after the current one, for clocks that differ. */
const WINDOW = 1
const CODE = /^\d{6}$/

/** A secret that may become a user's second factor. */
export interface NewTotp {
  /** The secret for typing into an app, in groups of four characters. */
  readonly text: string
  /** The secret as an `otpauth:` link for an app on this machine. */
  readonly uri: string
  /** The sealed secret, which the form sends back with the first code. */
  readonly sealed: string
}

/** Codes of an authenticator app as a second factor. Rejects when the store is down. */
export class Totp {
  readonly #credentials: CredentialStore
  readonly #system: System
  readonly #key: Uint8Array

  /** @param key 32 bytes; seals the stored secrets */
  constructor(credentials: CredentialStore, system: System, key: Uint8Array) {
    this.#credentials = credentials
    this.#system = system
    this.#key = key
  }

  /** Creates a secret, or shows one again. @param serviceName name that the app shows beside the email */
  begin(userId: string, email: string, serviceName: string, again?: string): NewTotp {
    const base32 = again ?? newSecret(this.#system)
    const sealed = seal(this.#key, newPurpose(userId), base32, this.#system)
    const text = (base32.match(/.{1,4}/g) ?? []).join(' ')
    const uri = new TOTP({ issuer: serviceName, label: email, secret: base32 }).toString()
    return { text, uri, sealed }
  }

  /** Unseals the secret that was shown; `undefined` if it is not this user's. */
  begun(userId: string, sealed: string | undefined): string | undefined {
    return unseal(this.#key, newPurpose(userId), sealed ?? '')
  }

  /** [TOTP.1] Switches codes on if the app's code is correct. @returns whether it did */
  async switchOn(userId: string, base32: string, code: string): Promise<boolean> {
    const step = this.#stepOf(base32, code)
    if (step === undefined) return false
    await this.#credentials.setTotp(userId, seal(this.#key, keptPurpose(userId), base32, this.#system))
    return this.#credentials.useTotpStep(userId, step)
  }

  async switchOff(userId: string): Promise<void> {
    await this.#credentials.setTotp(userId, undefined)
  }

  /** [TOTP.2] Whether the code is valid now and was not used before. */
  async check({ userId, totpSecret }: Credentials, code: string): Promise<boolean> {
    const base32 = totpSecret && unseal(this.#key, keptPurpose(userId), totpSecret)
    // A secret sealed by another installation admits nobody.
    if (base32 === undefined || base32 === '') return false
    const step = this.#stepOf(base32, code)
    return step !== undefined && (await this.#credentials.useTotpStep(userId, step))
  }

  /** @returns the time step to which the code belongs */
  #stepOf(base32: string, code: string): number | undefined {
    const token = code.replaceAll(/\s/g, '')
    if (!CODE.test(token)) return undefined
    const timestamp = this.#system.nowMs()
    const delta = TOTP.validate({ token, secret: Secret.fromBase32(base32), timestamp, window: WINDOW })
    return delta === null ? undefined : TOTP.counter({ period: PERIOD_SECONDS, timestamp }) + delta
  }
}

function newSecret(system: System): string {
  return new Secret({ buffer: new Uint8Array(system.randomBytes(SECRET_BYTES)).buffer }).base32
}

function keptPurpose(userId: string): string {
  return `second factor of ${userId}`
}

function newPurpose(userId: string): string {
  return `second factor to be of ${userId}`
}
