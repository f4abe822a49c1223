import { z } from 'zod'
import { ERAS } from './exchange.ts'
import type { JsonText } from './json.ts'
import { limits } from './limits.ts'
import { nameSchema } from './text.ts'

/** A tool as its server defined it, every member untouched. */
export const toolDefinitionSchema = z.looseObject({
  name: z.string().min(1),
  inputSchema: z.looseObject({}),
})
export type ToolDefinition = z.infer<typeof toolDefinitionSchema>

const catalogToolSchema = z.object({
  /** SHA-256, hex, of the definition's canonical JSON. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  definition: toolDefinitionSchema,
})

const readyServerSchema = z.object({
  state: z.literal('ready'),
  name: nameSchema,
  /** The server's own `serverInfo` and `instructions` from its initialization. */
  serverInfo: z.looseObject({ name: z.string(), version: z.string() }),
  instructions: z.string().optional(),
  /** The capabilities that the server declared. Without it, the bridge answers for the server, and sends only calls. */
  capabilities: z.looseObject({}).optional(),
  /** Eras that the server is known to speak. */
  eras: z.array(z.enum(ERAS)).max(ERAS.length).optional(),
  tools: z.array(catalogToolSchema).max(limits.toolsPerServer),
})

const absentServerSchema = z.object({
  state: z.enum(['starting', 'failed']),
  name: nameSchema,
  /** Reason in words for the machine's user. */
  reason: z.string().max(limits.textChars).optional(),
})

const catalogServerSchema = z.discriminatedUnion('state', [readyServerSchema, absentServerSchema])
/** A local server as it travels. */
export type ReportedServer = z.infer<typeof catalogServerSchema>

/** Local servers of an agent: all of them, or one part of the catalog. */
export const catalogSchema = z.array(catalogServerSchema).max(limits.serversPerAgent)

/** A tool of a local server. */
export interface CatalogTool {
  /** SHA-256, hex, of the definition's canonical JSON. */
  readonly hash: string
  readonly name: string
  /** The definition as the server wrote it. */
  readonly definition: JsonText
}

/** A local server that is ready, with everything that it says in its own words. */
export interface ReadyServer extends Omit<z.infer<typeof readyServerSchema>, Texts> {
  readonly serverInfo: JsonText
  readonly capabilities?: JsonText | undefined
  readonly tools: readonly CatalogTool[]
}
type Texts = 'serverInfo' | 'capabilities' | 'tools'

/** A local server as agent and bridge keep it. */
export type CatalogServer = ReadyServer | z.infer<typeof absentServerSchema>
