import { z } from 'zod'
import { catalogSchema } from './catalog.ts'
import { acceptedSchema, creditSchema, endSchema, messageSchema, payloadBytesSchema } from './exchange.ts'
import { limits } from './limits.ts'
import { proofSchema } from './proof.ts'
import { callIdSchema, nameSchema } from './text.ts'

/** Messages from an agent to the bridge, specified in PROTOCOL.md. */

const challengeResponse = z.object({ type: z.literal('challenge_response'), response: z.string().max(256) })
/** v2: the answer to a challenge, by echo or by a device's proof. */
const challengeResponseV2 = challengeResponse.extend({
  response: challengeResponse.shape.response.optional(),
  proof: proofSchema.optional(),
})
/** v2: a fresh token for this connection. A new challenge follows, whose proof binds the token. */
const reauthenticate = z.object({
  type: z.literal('reauthenticate'),
  token: z.string().min(1).max(limits.tokenChars),
})
const ping = z.object({ type: z.literal('ping') })
const pong = z.object({ type: z.literal('pong') })

/** A verified socket may also be a caller. */
const toolExecute = z.object({
  type: z.literal('tool_execute'),
  id: callIdSchema,
  serverName: nameSchema,
  toolName: nameSchema,
  args: z.record(z.string(), z.unknown()).optional(),
})

const toolSucceeded = z.object({
  type: z.literal('tool_result'),
  id: callIdSchema,
  success: z.literal(true),
  /** Missing if the tool returned nothing. */
  result: z.unknown().optional(),
})

/** v2: a large result follows in chunks. */
const toolSucceededV2 = toolSucceeded.extend({ bytes: payloadBytesSchema.optional() })

const toolFailedV1 = z.object({
  type: z.literal('tool_result'),
  id: callIdSchema,
  success: z.literal(false),
  error: z.string(),
})

/** The JSON-RPC error that a local server answered with (JSON-RPC 2.0 section 5.1). */
const rpcErrorSchema = z.looseObject({ code: z.number().int(), message: z.string() })

/** v2 adds the reason: one of our codes, or the local server's own error. */
const toolFailedV2 = toolFailedV1.extend({
  code: z.string().max(64).optional(),
  rpcError: rpcErrorSchema.optional(),
})

const catalog = z.object({
  type: z.literal('catalog'),
  servers: catalogSchema,
  /** Another part follows; a server that occurs again has more tools. */
  more: z.boolean().optional(),
  /** Only these servers have changed. Without it, `servers` are all that there are. */
  only: z.boolean().optional(),
  /** Servers that are gone; with `only`. */
  removed: z.array(nameSchema).max(limits.serversPerAgent).optional(),
})

const shared = [ping, pong, toolExecute] as const
const toolResultV1 = z.discriminatedUnion('success', [toolSucceeded, toolFailedV1])
const toolResultV2 = z.discriminatedUnion('success', [toolSucceededV2, toolFailedV2])

export const upSchemaV1 = z.discriminatedUnion('type', [challengeResponse, ...shared, toolResultV1])
export const upSchemaV2 = z.discriminatedUnion('type', [
  challengeResponseV2,
  ...shared,
  toolResultV2,
  catalog,
  reauthenticate,
  acceptedSchema,
  messageSchema,
  endSchema,
  creditSchema,
])

export type UpMessage = z.infer<typeof upSchemaV2>
