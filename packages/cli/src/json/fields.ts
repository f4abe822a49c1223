import { z } from 'zod'

/** Each field that `--json` prints under this name means the same in every command. */
export const fields = {
  userId: z.string().describe('id of a user'),
  sessionId: z.string().describe('id of a login session, which stays the same while its tokens are renewed'),
  deviceId: z.string().describe('id of an enrolled machine'),
  email: z.string().describe('email of the user'),
  role: z.enum(['admin', 'user']).describe('whether the user manages others'),
  userState: z.enum(['active', 'suspended']).describe('whether tokens of the user are accepted'),
  createdAt: z.iso.datetime().describe('when it was created, ISO 8601 in UTC'),
  lastSeenAt: z.iso.datetime().describe('when it was last used, at most minutes off; ISO 8601 in UTC'),
  expiresAt: z.iso.datetime().describe('when it ends unless renewed or ended earlier; ISO 8601 in UTC'),
  scopes: z.array(z.string()).describe('what the token allows'),
  bridge: z.string().describe('address of the bridge'),
  keyId: z.string().describe('thumbprint of the current key (RFC 7638)'),
  generation: z.int().describe('number of the key: 1 for the first, one more for each rotation'),
  keyStore: z.enum(['os', 'file']).describe('where the private key is kept'),
  url: z.string().describe('address of the node'),
  count: z.int().nonnegative(),
} as const

const { userId, email, role, userState, createdAt, lastSeenAt, expiresAt, sessionId, deviceId } = fields

/** Output of every command that fails; the exit code is not 0. */
export const failure = z.strictObject({
  code: z.string().describe('stable code of the failure'),
  message: z.string().describe('what is wrong, for people'),
  next: z.string().optional().describe('what to do next, for people'),
})

export const user = z.strictObject({ userId, email, role, state: userState, createdAt })

export const block = z.strictObject({
  kind: z.enum(['address', 'calls', 'challenge']).describe('what is refused'),
  key: z.string().describe('the address, or the id of the user, or both'),
  expiresAt,
})

export const session = z.strictObject({
  sessionId,
  userId,
  email,
  kind: z.enum(['browser', 'client', 'device', 'token']).describe('what logged in'),
  label: z.string().describe('name of the browser, app or machine, as its owner gave it'),
  deviceId: deviceId.optional(),
  createdAt,
  lastSeenAt,
  expiresAt,
})

export const device = z.strictObject({
  deviceId,
  userId,
  email,
  name: z.string().describe('name of the machine, as its owner gave it'),
  keyId: fields.keyId.optional(),
  createdAt,
  lastSeenAt,
})

export const token = z.strictObject({
  sessionId,
  userId,
  email,
  scopes: fields.scopes,
  createdAt,
  lastSeenAt,
  expiresAt,
})
