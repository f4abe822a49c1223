import { z } from 'zod'
import {
  cancelSchema,
  creditSchema,
  detachSchema,
  doneSchema,
  endSessionSchema,
  openSchema,
  payloadBytesSchema,
  revokeSchema,
} from './exchange.ts'
import { BINDING_TYPES, connectionIdSchema, signatureSchema, thumbprintSchema } from './proof.ts'
import { callIdSchema, nameSchema } from './text.ts'

/** Messages from the bridge to an agent, specified in PROTOCOL.md. */

const challenge = z.object({
  type: z.literal('challenge'),
  challenge: z.string().min(1).max(256),
  /** Milliseconds left to answer. */
  expiresIn: z.number().int().positive(),
})
const challengeVerified = z.object({ type: z.literal('challenge_verified') })

/** v2: with `proof`, the answer must prove a device's key; without, it is the echo. */
const challengeV2 = challenge.extend({
  proof: z
    .object({
      connectionId: connectionIdSchema,
      /** Thumbprint of the bridge's key. */
      keyId: thumbprintSchema,
      /** The value of the TLS connection that the proof binds (RFC 9266). */
      binding: z.enum(BINDING_TYPES),
    })
    .optional(),
})
/** v2: the bridge answers a proof with its own. */
const challengeVerifiedV2 = challengeVerified.extend({
  proof: z.object({ signature: signatureSchema }).optional(),
})

const ping = z.object({ type: z.literal('ping') })
const pong = z.object({ type: z.literal('pong') })

const toolExecute = z.object({
  type: z.literal('tool_execute'),
  id: callIdSchema,
  serverName: nameSchema,
  toolName: nameSchema,
  args: z.record(z.string(), z.unknown()),
})

/** v2: the caller no longer waits for this call. */
const toolCancel = z.object({ type: z.literal('tool_cancel'), id: callIdSchema })

/** Answers a `tool_execute` that this socket sent. */
const toolResult = z.object({
  type: z.literal('tool_result'),
  id: callIdSchema,
  success: z.boolean(),
  result: z.unknown().optional(),
  error: z.string().optional(),
  code: z.string().optional(),
  /** Seconds; with `rate_limit_exceeded`. */
  retryAfter: z.number().int().optional(),
})

const error = z.object({
  type: z.literal('error'),
  /** A code of `codes.ts`. */
  error: z.string(),
  /** The `tool_execute` of this socket that it answers, if any. */
  id: callIdSchema.optional(),
  message: z.string().optional(),
  /** Bytes; with `message_too_large`. */
  maxSize: z.number().int().optional(),
  /** Seconds; with `rate_limit_exceeded`. */
  retryAfter: z.number().int().optional(),
})

/** v2: with the `_meta` that the caller sent. Large arguments follow in chunks. */
const toolExecuteV2 = toolExecute.extend({
  args: toolExecute.shape.args.optional(),
  bytes: payloadBytesSchema.optional(),
  meta: z.record(z.string(), z.unknown()).optional(),
})

export const downSchemaV1 = z.discriminatedUnion('type', [
  challenge,
  challengeVerified,
  ping,
  pong,
  toolExecute,
  toolResult,
  error,
])
export const downSchemaV2 = z.discriminatedUnion('type', [
  challengeV2,
  challengeVerifiedV2,
  ping,
  pong,
  toolExecuteV2,
  toolResult,
  error,
  toolCancel,
  openSchema,
  cancelSchema,
  detachSchema,
  doneSchema,
  revokeSchema,
  endSessionSchema,
  creditSchema,
])

export type DownMessage = z.infer<typeof downSchemaV2>
