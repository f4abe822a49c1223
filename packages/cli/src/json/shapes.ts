import { z } from 'zod'
import { agentEvent } from './agent-events.ts'
import { block, device, failure, fields, session, token, user } from './fields.ts'

const { userId, sessionId, deviceId, url, bridge, keyId, generation, keyStore, count } = fields

const securityLogLine = z
  .looseObject({
    timestamp: z.iso.datetime(),
    event: z.string(),
    severity: z.enum(['info', 'warn', 'error']),
  })
  .describe('a line of the security log: see security-events.md')

const serveLine = z.union([
  z.strictObject({
    event: z.literal('listening'),
    url,
    mcp: z.string().describe('address for callers'),
    data: z.string().describe('path of the data folder'),
  }),
  z.strictObject({ event: z.literal('stopped') }),
  securityLogLine,
])

const enrolment = z.union([
  z.strictObject({
    bridge,
    state: z.enum(['pending', 'enrolled']).describe('whether the bridge has accepted this machine'),
    deviceId: deviceId.optional(),
    name: z.string().describe('name of this machine there'),
    userId: userId.optional(),
    keyId,
    generation: generation.optional(),
    keyStore,
  }),
  z.strictObject({ path: z.string().describe('file that cannot be used'), error: failure }),
])

const verification = z.strictObject({
  intact: z.boolean().describe('whether the log is intact'),
  files: count,
  lines: count,
  firstSeq: count.describe('number of the first line; more than 1 if older files were removed'),
  lastSeq: count,
  anchoredSeq: count.describe('number of the last line that the anchor covers'),
  tornBytes: count.describe('bytes after the last complete line'),
  problems: z.array(
    z.strictObject({
      file: z.string().optional(),
      line: z.int().optional(),
      kind: z.string().describe('stable name of the problem'),
      text: z.string(),
    }),
  ),
  problemCount: count.describe('all problems; the list holds the first hundred'),
})

const status = z.strictObject({
  running: z.boolean().describe('whether a node runs on this data folder'),
  url: url.optional(),
  store: z.strictObject({ reachable: z.boolean(), error: failure.optional() }),
  counts: z
    .strictObject({ users: count, sessions: count, devices: count, blocks: count })
    .optional()
    .describe('missing if the store is not reachable'),
  logWritable: z.boolean().describe('whether this account may write the security log'),
})

const version = z.strictObject({
  version: z.string().describe('version of Bridgekeeper'),
  node: z.string().describe('version of Node.js'),
  platform: z.string().describe('operating system, as Node.js names it'),
  arch: z.string().describe('processor, as Node.js names it'),
})

/** Output of each command with `--json`: one value, or for `serve` and `connect` one per line. */
export const shapes = {
  serve: serveLine,
  connect: agentEvent,
  'device list': z.array(enrolment),
  'device forget': z.strictObject({ bridge }),
  'device rotate': z.strictObject({ bridge, keyId, generation }),
  'user add': user,
  'user list': z.strictObject({
    users: z.array(user),
    nextAfter: z.string().optional().describe('give it as --after for the next page; missing on the last'),
  }),
  'user password': user,
  'user role': user,
  'user suspend': user,
  'user resume': user,
  'user logout': user,
  'user delete': user,
  'token issue': z.strictObject({
    accessToken: z.string().describe('the token: anyone who has it can act as the user'),
    sessionId,
    userId,
    expiresAt: fields.expiresAt,
  }),
  'token list': z.array(token),
  sessions: z.array(session),
  devices: z.array(device),
  'revoke user': z.strictObject({ userId }),
  'revoke session': z.strictObject({ userId, sessionId }),
  'revoke device': z.strictObject({ userId, deviceId }),
  'block list': z.array(block),
  'block add': z.array(block),
  'block lift': z.array(block),
  tools: z.array(z.looseObject({ name: z.string() })).describe('tools as MCP defines them'),
  call: z
    .looseObject({ content: z.array(z.looseObject({ type: z.string() })) })
    .describe('result as MCP defines it'),
  'audit verify': verification,
  status,
  version,
} as const

export const failed = z.strictObject({ error: failure })

export type CommandName = keyof typeof shapes
/** Output of one command. */
export type Printed<C extends CommandName> = Readonly<z.input<(typeof shapes)[C]>>

/** The shape as JSON Schema, for the documentation. */
export function jsonSchemaOf(shape: z.ZodType): object {
  return z.toJSONSchema(shape)
}
