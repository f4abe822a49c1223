import { isLoopbackHost } from '@bridgekeeper/protocol'
import { z } from 'zod'
import { durationMs } from './duration.ts'

/** Kinds of values. Each reads a text; its description completes the sentence "PORT must be …". */

export const text = z.string().trim().min(1).describe('a non-empty text')

/** A whole number. Both bounds are allowed. */
export function integer(min: number, max: number, unit = ''): z.ZodType<number> {
  const of = unit === '' ? '' : ` of ${unit}`
  return z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .describe(`a number${of} from ${min} to ${max}`)
}

/** A number of seconds, as milliseconds. Both bounds are in seconds and allowed. */
export function seconds(min: number, max: number): z.ZodType<number> {
  return z
    .string()
    .regex(/^\d{1,15}(?:\.\d{1,3})?$/)
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .transform((value) => value * 1_000)
    .describe(`a number of seconds from ${min} to ${max}`)
}

export function oneOf<const Choices extends readonly [string, ...string[]]>(choices: Choices) {
  return z.enum(choices).describe(`one of ${choices.join(', ')}`)
}

/** A number of calls per window, and how long to refuse more. */
export interface Limit {
  readonly count: number
  readonly windowMs: number
  readonly blockMs: number
}

const LIMIT = /^(\d{1,6})\/(\d+[smhd])\/(\d+[smhd])$/

/** For example `100/1m/15m`. */
export const limit = z
  .string()
  .transform((text, context): Limit => {
    const read = readLimit(text)
    if (read !== undefined) return read
    context.addIssue('no limit')
    return z.NEVER
  })
  .describe('COUNT/WINDOW/BLOCK, with times such as 30s, 15m, 2h or 1d')

/** For example `memory/read_graph=10/1m/15m`. */
export const toolLimit = z
  .string()
  .transform((text, context): readonly [tool: string, limit: Limit] => {
    const [, tool = '', limits = ''] = /^([^=]+\/[^=]+)=(\S+)$/.exec(text) ?? []
    const read = readLimit(limits)
    if (read !== undefined) return [tool, read]
    context.addIssue('no limit of a tool')
    return z.NEVER
  })
  .describe('SERVER/TOOL=COUNT/WINDOW/BLOCK')

/** An address at which secrets are sent: https, or http at this machine. */
export const secureUrl = z
  .string()
  .transform((text, context): URL => {
    const url = URL.parse(text)
    if (url?.protocol === 'https:') return url
    if (url?.protocol === 'http:' && isLoopbackHost(url.hostname)) return url
    context.addIssue('no secure address')
    return z.NEVER
  })
  .describe('an https address')

function readLimit(text: string): Limit | undefined {
  const [, count = '', window = '', block = ''] = LIMIT.exec(text) ?? []
  const windowMs = durationMs(window)
  const blockMs = durationMs(block)
  if (Number(count) === 0 || windowMs === undefined || blockMs === undefined) return undefined
  return { count: Number(count), windowMs, blockMs }
}
