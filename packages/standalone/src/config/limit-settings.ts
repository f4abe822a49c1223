import type { BridgeOptions } from '@bridgekeeper/bridge'
import {
  DEFAULT_RATE_LIMIT,
  type Environment,
  FINGERPRINT_POLICIES,
  type RateLimit,
} from '@bridgekeeper/bridge/parts'
import { durationMs } from './duration.ts'
import { SetupError } from './setup-error.ts'

const LIMIT = /^(\d{1,6})\/(\d+[smhd])\/(\d+[smhd])$/

/** What of a bridge's limits the environment sets. */
export type LimitSettings = Pick<BridgeOptions, 'rateLimits' | 'addressFailures' | 'fingerprints'>

/**
 * [RATE.8] Limits as `COUNT/WINDOW/BLOCK`, such as `100/1m/15m`:
 * `BRIDGEKEEPER_RATE_LIMIT` of each user, `BRIDGEKEEPER_TOKEN_RATE_LIMIT` of each token,
 * `BRIDGEKEEPER_TOOL_RATE_LIMITS` of tools, as `server/tool=LIMIT` with commas between, and
 * `BRIDGEKEEPER_ADDRESS_FAILURES`; and the policy `BRIDGEKEEPER_FINGERPRINTS`.
 * @throws SetupError `setting_invalid`
 */
export function limitSettings(env: Environment): LimitSettings {
  const failures = limitOf(env, 'BRIDGEKEEPER_ADDRESS_FAILURES')
  const token = limitOf(env, 'BRIDGEKEEPER_TOKEN_RATE_LIMIT')
  const tools = toolLimits(env.BRIDGEKEEPER_TOOL_RATE_LIMITS)
  const policy = env.BRIDGEKEEPER_FINGERPRINTS || 'observe'
  const fingerprints = FINGERPRINT_POLICIES.find((known) => known === policy)
  if (fingerprints === undefined) {
    throw invalid('BRIDGEKEEPER_FINGERPRINTS', policy, `Give one of ${FINGERPRINT_POLICIES.join(', ')}.`)
  }
  return {
    fingerprints,
    rateLimits: { user: limitOf(env, 'BRIDGEKEEPER_RATE_LIMIT') ?? DEFAULT_RATE_LIMIT, token, tools },
    ...(failures !== undefined && {
      addressFailures: {
        failures: failures.maxCalls,
        windowMs: failures.windowMs,
        blockMs: failures.blockMs,
      },
    }),
  }
}

function limitOf(env: Environment, name: string): RateLimit | undefined {
  const text = env[name]
  return text === undefined || text === '' ? undefined : readLimit(name, text)
}

function toolLimits(text: string | undefined): Readonly<Record<string, RateLimit>> | undefined {
  if (text === undefined || text === '') return undefined
  const entries = text.split(',').map((entry) => {
    const [, tool, limit] = /^\s*([^=]+\/[^=]+)=(\S+)\s*$/.exec(entry) ?? []
    if (tool === undefined || limit === undefined) {
      throw invalid('BRIDGEKEEPER_TOOL_RATE_LIMITS', entry, 'Give entries like memory/read_graph=10/1m/15m.')
    }
    return [tool, readLimit('BRIDGEKEEPER_TOOL_RATE_LIMITS', limit)] as const
  })
  return Object.fromEntries(entries)
}

function readLimit(name: string, text: string): RateLimit {
  const [, count = '', window = '', block = ''] = LIMIT.exec(text) ?? []
  const windowMs = durationMs(window)
  const blockMs = durationMs(block)
  if (Number(count) > 0 && windowMs !== undefined && blockMs !== undefined)
    return { maxCalls: Number(count), windowMs, blockMs }
  throw invalid(name, text, 'Give COUNT/WINDOW/BLOCK, like 100/1m/15m.')
}

function invalid(name: string, value: string, next: string): SetupError {
  return new SetupError('setting_invalid', `${name} says ${JSON.stringify(value)}.`, next)
}
