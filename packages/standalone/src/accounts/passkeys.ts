import { isIP } from 'node:net'
import { allow, deny, type System, type User, type Verdict } from '@bridgekeeper/bridge'
import { SlidingWindow, seal, unseal } from '@bridgekeeper/bridge/parts'
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server'
import { z } from 'zod'
import type { CredentialStore, Passkey } from '../ports.ts'
import type { Site } from '../web/site.ts'

/** Between the bridge's question and the browser's answer. */
const BEGUN_MS = 300_000
const CHALLENGE_BYTES = 32
/** Limit of passkeys per user. */
export const MAX_PASSKEYS = 32
const SERVICE = 'Bridgekeeper'
/** EdDSA, ES256, RS256 (RFC 9053): what authenticators have, without what Node calls experimental. */
const ALGORITHMS = [-8, -7, -257]

const text = z.string().max(16_384)
const attachment = z.enum(['cross-platform', 'platform'])
/** Members of a browser's answer (WebAuthn 3, section 5.1); the library verifies them. */
const common = { id: text, rawId: text, type: z.literal('public-key'), clientExtensionResults: z.object({}) }
const registrationSchema = z.object({
  ...common,
  authenticatorAttachment: attachment.optional(),
  response: z.object({
    clientDataJSON: text,
    attestationObject: text,
    transports: z.array(text).max(8).optional(),
  }),
})
const authenticationSchema = z.object({
  ...common,
  authenticatorAttachment: attachment.optional(),
  response: z.object({
    clientDataJSON: text,
    authenticatorData: text,
    signature: text,
    userHandle: text.optional(),
  }),
})
const begunSchema = z.tuple([z.string(), z.number()])

/** Loaded on first use: it starts slower than everything else, and most commands never need it. */
const library = () => import('@simplewebauthn/server')

/** A question for the browser, and the sealed state that must return with its answer. */
export interface Begun<Options> {
  readonly options: Options
  readonly begun: string
}

/** Passkeys: login without a password. Rejects when the store is down. */
export class Passkeys {
  readonly #site: Site
  readonly #credentials: CredentialStore
  readonly #system: System
  readonly #key: Uint8Array
  /** Each question has one answer. */
  readonly #answered = new SlidingWindow({ max: 1, windowMs: BEGUN_MS })

  constructor(
    { site, system, key }: { readonly site: Site; readonly system: System; readonly key: Uint8Array },
    credentials: CredentialStore,
  ) {
    this.#site = site
    this.#credentials = credentials
    this.#system = system
    this.#key = key
  }

  /** Browsers know passkeys of names only, never of addresses (WebAuthn 3, section 5.1.2, "effective domain"). */
  get isAvailable(): boolean {
    return isIP(this.#site.hostname.replaceAll(/[[\]]/g, '')) === 0
  }

  /** @param sessionId only an answer of this session counts */
  async beginAdding(
    user: User,
    sessionId: string,
  ): Promise<Verdict<Begun<PublicKeyCredentialCreationOptionsJSON>>> {
    const known = await this.#credentials.passkeysOf(user.userId)
    if (known.length >= MAX_PASSKEYS)
      return deny('passkey_refused', `A user may have ${MAX_PASSKEYS}. Remove one first.`)
    const challenge = this.#challenge()
    const { generateRegistrationOptions } = await library()
    const options = await generateRegistrationOptions({
      rpName: SERVICE,
      rpID: this.#site.hostname,
      userName: user.email,
      userID: new Uint8Array(Buffer.from(user.userId)),
      challenge,
      attestationType: 'none',
      supportedAlgorithmIDs: ALGORITHMS,
      excludeCredentials: known.map(({ credentialId }) => ({ id: credentialId })),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    })
    return allow({ options, begun: this.#seal(addingFor(sessionId), options.challenge) })
  }

  /** [PASSKEY.1] @returns the passkey that was added; `undefined` where the answer does not fit the question */
  async add(
    user: User,
    sessionId: string,
    name: string,
    { begun, credential }: Readonly<Record<string, unknown>>,
  ): Promise<Passkey | undefined> {
    const expectedChallenge = this.#open(addingFor(sessionId), begun)
    const response = registrationSchema.safeParse(credential)
    if (expectedChallenge === undefined || !response.success) return undefined
    const { verifyRegistrationResponse } = await library()
    const registration = await orNothing(
      verifyRegistrationResponse({
        response: response.data satisfies object as RegistrationResponseJSON,
        expectedChallenge,
        expectedOrigin: this.#site.origin,
        expectedRPID: this.#site.hostname,
        requireUserVerification: true,
        supportedAlgorithmIDs: ALGORITHMS,
      }),
    )
    if (!registration?.verified) return undefined
    const { id, publicKey, counter } = registration.registrationInfo.credential
    const passkey: Passkey = {
      credentialId: id,
      userId: user.userId,
      name,
      publicKey: Buffer.from(publicKey).toString('base64url'),
      counter,
      transports: response.data.response.transports ?? [],
      createdAtMs: this.#system.nowMs(),
    }
    if (!(await this.#credentials.addPasskey(passkey))) return undefined
    // Others may have been added since the question.
    const { length } = await this.#credentials.passkeysOf(user.userId)
    if (length <= MAX_PASSKEYS) return passkey
    await this.#credentials.removePasskey(user.userId, id)
    return undefined
  }

  /** @param visitId only an answer of this visit counts */
  async beginLogin(visitId: string): Promise<Begun<PublicKeyCredentialRequestOptionsJSON>> {
    const { generateAuthenticationOptions } = await library()
    const options = await generateAuthenticationOptions({
      rpID: this.#site.hostname,
      challenge: this.#challenge(),
      userVerification: 'required',
    })
    return { options, begun: this.#seal(loginOf(visitId), options.challenge) }
  }

  /** [PASSKEY.2] @returns the owner of the passkey; `undefined` if the answer does not match the question */
  async login(
    visitId: string,
    { begun, credential }: Readonly<Record<string, unknown>>,
  ): Promise<string | undefined> {
    const expectedChallenge = this.#open(loginOf(visitId), begun)
    const response = authenticationSchema.safeParse(credential)
    if (expectedChallenge === undefined || !response.success) return undefined
    const passkey = await this.#credentials.findPasskey(response.data.id)
    if (passkey === undefined) return undefined
    const { userHandle } = response.data.response
    if (userHandle !== undefined && Buffer.from(userHandle, 'base64url').toString() !== passkey.userId)
      return undefined
    const { verifyAuthenticationResponse } = await library()
    const authentication = await orNothing(
      verifyAuthenticationResponse({
        response: response.data satisfies object as AuthenticationResponseJSON,
        expectedChallenge,
        expectedOrigin: this.#site.origin,
        expectedRPID: this.#site.hostname,
        credential: {
          id: passkey.credentialId,
          publicKey: new Uint8Array(Buffer.from(passkey.publicKey, 'base64url')),
          counter: passkey.counter,
        },
        requireUserVerification: true,
      }),
    )
    if (!authentication?.verified) return undefined
    await this.#credentials.usedPasskey(passkey.credentialId, authentication.authenticationInfo.newCounter)
    return passkey.userId
  }

  #challenge(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#system.randomBytes(CHALLENGE_BYTES))
  }

  #seal(purpose: string, challenge: string): string {
    const untilMs = this.#system.nowMs() + BEGUN_MS
    return seal(this.#key, purpose, JSON.stringify([challenge, untilMs]), this.#system)
  }

  /** @returns the challenge, once and in time */
  #open(purpose: string, begun: unknown): string | undefined {
    const opened = typeof begun === 'string' ? unseal(this.#key, purpose, begun) : undefined
    if (opened === undefined) return undefined
    const [challenge, untilMs] = begunSchema.parse(JSON.parse(opened))
    const inTime = untilMs > this.#system.nowMs()
    return inTime && this.#answered.take(challenge, this.#system.monotonicMs()) ? challenge : undefined
  }
}

/** The library throws for every invalid answer. */
async function orNothing<T>(verified: Promise<T>): Promise<T | undefined> {
  try {
    return await verified
  } catch {
    return undefined
  }
}

function addingFor(sessionId: string): string {
  return `passkey to be added by ${sessionId}`
}

function loginOf(visitId: string): string {
  return `passkey login of ${visitId}`
}
