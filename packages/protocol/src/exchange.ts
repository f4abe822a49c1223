import { z } from 'zod'
import { limits } from './limits.ts'
import { callIdSchema, nameSchema } from './text.ts'

/** Eras of MCP: with `initialize` and sessions (until 2025-11-25), or with an envelope in each request (2026-07-28). */
export const ERAS = ['2025', '2026'] as const
export type Era = (typeof ERAS)[number]

/** Capabilities of a 2025 client that decide which instance of a local server it may share. */
export const CLIENT_TRAITS = [
  'sampling',
  'elicitation-form',
  'elicitation-url',
  'roots',
  'tasks',
  'sampling-tools',
  'sampling-context',
] as const
export type ClientTrait = (typeof CLIENT_TRAITS)[number]

/**
 * - `request`: a JSON-RPC request, answered by one `end`.
 * - `note`: notifications and answers to requests of the server, which have no answer of their own.
 * - `stream`: a reader for messages that belong to no request, or for a stream that was cut.
 * - `delete`: the end of the MCP session.
 */
const kindSchema = z.enum(['request', 'note', 'stream', 'delete'])
export type ExchangeKind = z.infer<typeof kindSchema>

/** Identifies the MCP session on the machine; made by the bridge. */
const sessionIdSchema = z.string().min(1).max(64)

const sessionSchema = z.object({
  id: sessionIdSchema,
  traits: z.array(z.enum(CLIENT_TRAITS)).max(CLIENT_TRAITS.length),
})
export type ExchangeSession = z.infer<typeof sessionSchema>

/** Size of a payload that follows in chunks, instead of the member that would hold it. */
export const payloadBytesSchema = z.number().int().min(1).max(limits.payloadBytes)

/** Both ways: the receiver has used these bytes of the exchange's or call's payloads, so as many may follow. */
export const creditSchema = z.object({
  type: z.literal('credit'),
  id: callIdSchema,
  bytes: z.number().int().min(1).max(limits.windowBytes),
})

/** Identifies user and login session on their machines. */
const clientSchema = z.string().min(1).max(64)

/** Bridge to agent: begins an exchange. */
export const openSchema = z.object({
  type: z.literal('open'),
  id: callIdSchema,
  server: nameSchema,
  kind: kindSchema,
  era: z.enum(ERAS),
  /** Identifies user and login session, so that nobody else can answer or resume. */
  client: clientSchema,
  /** The caller's `MCP-Protocol-Version`. */
  version: z.string().max(64).optional(),
  /** Missing for stateless callers. With `initialize`, the session that begins. */
  session: sessionSchema.optional(),
  /** Whether the caller can read messages before the answer. */
  streams: z.boolean(),
  /** The exchange whose stream is read on, and the last number that its reader has. */
  resume: z.object({ id: callIdSchema, after: z.number().int().min(0) }).optional(),
  /** Headers `Mcp-Param-*` by the rest of their name, in lower case. */
  params: z.record(z.string().max(limits.nameChars), z.string()).optional(),
  bytes: payloadBytesSchema.optional(),
})

/** Bridge to agent: the answer is of no use any more. */
export const cancelSchema = z.object({ type: z.literal('cancel'), id: callIdSchema })
/** Bridge to agent: the reader went away and may come back; the exchange goes on. */
export const detachSchema = z.object({ type: z.literal('detach'), id: callIdSchema })
/** Bridge to agent: the caller has everything, so the stream need not be kept. */
export const doneSchema = z.object({ type: z.literal('done'), id: callIdSchema })

/** Bridge to agent: the login of a client was revoked. Its exchanges are cancelled, and its sessions end. */
export const revokeSchema = z.object({ type: z.literal('revoke'), client: clientSchema })

/** Bridge to agent: a client ended its session. A machine that is away gets it when it is back. */
export const endSessionSchema = z.object({
  type: z.literal('end_session'),
  client: clientSchema,
  session: sessionIdSchema,
})

/** Agent to bridge: the local server has the request. */
export const acceptedSchema = z.object({ type: z.literal('accepted'), id: callIdSchema })

/** Position of a message in its stream; only in MCP sessions. */
const numberSchema = z.number().int().min(1)

/** Agent to bridge: a notification or a request of the server, for the caller. */
export const messageSchema = z.object({
  type: z.literal('message'),
  id: callIdSchema,
  number: numberSchema.optional(),
  bytes: payloadBytesSchema.optional(),
})

/** Agent to bridge: the exchange is over. */
export const endSchema = z.object({
  type: z.literal('end'),
  id: callIdSchema,
  /** HTTP status of an answer that is not part of a stream. */
  status: z.number().int().min(200).max(599),
  number: numberSchema.optional(),
  bytes: payloadBytesSchema.optional(),
  /** Why there is no `message`: one of our codes, and text for a person. */
  code: z.string().max(64).optional(),
  error: z.string().max(limits.textChars).optional(),
})
