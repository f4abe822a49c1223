import { z } from 'zod'
import { catalogSchema } from './catalog.ts'
import { callIdSchema, nameSchema } from './text.ts'

/** Messages from an agent to the bridge. PROTOCOL.md says what each means. */

const challengeResponse = z.object({ type: z.literal('challenge_response'), response: z.string().max(256) })
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
  /** Left out by agents whose tool returned nothing. */
  result: z.unknown().optional(),
})

const toolFailedV1 = z.object({
  type: z.literal('tool_result'),
  id: callIdSchema,
  success: z.literal(false),
  error: z.string(),
})

/** The JSON-RPC error that a local server answered with (JSON-RPC 2.0 section 5.1). */
const rpcErrorSchema = z.looseObject({ code: z.number().int(), message: z.string() })

/** v2 also says why: a code of ours, or the local server's own error. */
const toolFailedV2 = toolFailedV1.extend({
  code: z.string().max(64).optional(),
  rpcError: rpcErrorSchema.optional(),
})

const catalog = z.object({ type: z.literal('catalog'), servers: catalogSchema })

const shared = [challengeResponse, ping, pong, toolExecute] as const
const toolResultV1 = z.discriminatedUnion('success', [toolSucceeded, toolFailedV1])
const toolResultV2 = z.discriminatedUnion('success', [toolSucceeded, toolFailedV2])

export const upSchemaV1 = z.discriminatedUnion('type', [...shared, toolResultV1])
export const upSchemaV2 = z.discriminatedUnion('type', [...shared, toolResultV2, catalog])

export type UpMessage = z.infer<typeof upSchemaV2>
