import { z } from 'zod'
import { fields } from './fields.ts'

const { count } = fields
const milliseconds = z.number().nonnegative()
const name = z.string().describe('name of the local server in the config file')
const names = z.array(z.string()).readonly()
const reason = z.string().describe('why, for people')
const version = z.enum(['v1', 'v2']).describe('version of the protocol')
const stderr = z.string().describe('end of what the server printed on standard error')
const ended = { name, reason, stderr, ignoredLines: count }

const sampled = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('connecting'), url: fields.url, version }),
  z.strictObject({ type: z.literal('verified'), url: fields.url, version }),
  z.strictObject({
    type: z.literal('disconnected'),
    reason,
    ignoredFrames: count,
    retryInMs: milliseconds,
  }),
  z.strictObject({ type: z.literal('bridge-error'), code: z.string() }),
  z.strictObject({
    type: z.literal('call-finished'),
    server: z.string(),
    tool: z.string(),
    outcome: z.string().describe('ok, or the code of the failure'),
    durationMs: milliseconds,
  }),
  z.strictObject({
    type: z.literal('request-finished'),
    server: z.string(),
    method: z.string().describe('of MCP'),
    outcome: z.string().describe('ok, or the code of the failure'),
    durationMs: milliseconds,
  }),
  z.strictObject({
    type: z.literal('enrolment-waiting'),
    bridge: fields.bridge,
    name: z.string().describe('name of this machine'),
    verificationUri: z.string(),
    verificationUriComplete: z.string().optional(),
    userCode: z.string(),
    keyWords: z.string(),
    expiresInMs: milliseconds,
  }),
  z.strictObject({
    type: z.literal('enrolled'),
    bridge: fields.bridge,
    deviceId: fields.deviceId,
    name: z.string().describe('name of this machine'),
    keyStore: fields.keyStore,
  }),
  z.strictObject({
    type: z.literal('server-starting'),
    name,
    forMs: milliseconds,
    limitMs: milliseconds,
    mayInstall: z.boolean(),
  }),
  z.strictObject({ type: z.literal('server-ready'), name, tools: count, skippedTools: count }),
  z.strictObject({ type: z.literal('server-tools-changed'), name, tools: count }),
  z.strictObject({ type: z.literal('server-tools-unread'), name, reason }),
  z.strictObject({
    type: z.literal('server-tools-odd'),
    name,
    reason,
    count,
    names,
  }),
  z.strictObject({ type: z.literal('server-output-ignored'), name, reason, text: z.string() }),
  z.strictObject({ type: z.literal('server-failed'), retryInMs: milliseconds.optional(), ...ended }),
  z.strictObject({ type: z.literal('server-exited'), retryInMs: milliseconds, ...ended }),
  z.strictObject({ type: z.literal('server-instance-failed'), ...ended }),
  z.strictObject({ type: z.literal('session-file-unusable'), reason }),
  z.strictObject({
    type: z.literal('config-changed').describe('the config file was edited'),
    added: names.describe('servers that start'),
    removed: names.describe('servers that stop'),
    changed: names.describe('servers that restart'),
  }),
  z.strictObject({
    type: z.literal('config-unread').describe('the edited config file cannot be used; nothing changes'),
    code: z.string(),
    reason,
    next: z.string().describe('what to do next, for people'),
  }),
  z.strictObject({ type: z.literal('server-log'), name, level: z.string(), text: z.string() }),
  z.strictObject({ type: z.literal('server-stderr'), name, text: z.string() }),
])

/** Output of `connect --json`: one event per line. */
export const agentEvent = z.discriminatedUnion('type', [
  sampled,
  z.strictObject({ type: z.literal('events-left-out'), count, last: sampled.describe('the latest of them') }),
  z.strictObject({ type: z.literal('events-dropped'), count }),
  z.strictObject({
    type: z.literal('overview').describe('once, when the agent is connected for the first time'),
    mcpUrl: z.string().describe('address to give to an AI app'),
    accountUrl: z.string().describe('page on which the user removes this machine'),
    newlyEnrolled: z.boolean().describe('whether this run enrolled the machine'),
    servers: z.array(
      z.strictObject({
        name,
        state: z.enum(['starting', 'ready', 'failed']).describe('later changes are events of their own'),
        tools: count.optional(),
      }),
    ),
  }),
])
