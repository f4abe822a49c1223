import { expect, test } from 'vitest'
import { serveSettings } from '../src/config/serve-settings.ts'

const limitSettings = (env: Readonly<Record<string, string>>) => serveSettings({ flags: {}, env }).limits

test('[RATE.8] uses the protocol’s limits by default', () => {
  expect(limitSettings({})).toEqual({
    fingerprints: 'observe',
    callTimeoutMs: 60_000,
    maxBodyBytes: 67_108_864,
    maxCallMs: 3_600_000,
    maxPendingCalls: 64,
    nameChars: 48,
    addressFailures: { failures: 10, windowMs: 60_000, blockMs: 3_600_000 },
    rateLimits: {
      user: { maxCalls: 100, windowMs: 60_000, blockMs: 900_000 },
      token: undefined,
      tools: undefined,
    },
  })
})

test('[RATE.8] reads limits of user, token, tools and addresses, and the policy', () => {
  const settings = limitSettings({
    BRIDGEKEEPER_RATE_LIMIT: '5/10s/1h',
    BRIDGEKEEPER_TOKEN_RATE_LIMIT: '4/1m/1m',
    BRIDGEKEEPER_TOOL_RATE_LIMITS: 'memory/read_graph=1/1d/2d, files/a=2/1s/1s',
    BRIDGEKEEPER_ADDRESS_FAILURES: '3/1m/1d',
    BRIDGEKEEPER_FINGERPRINTS: 'block',
    BRIDGEKEEPER_CALL_TIMEOUT_MS: '90000',
    BRIDGEKEEPER_MAX_CALL_MS: '7200000',
    BRIDGEKEEPER_MAX_PENDING_CALLS: '128',
    BRIDGEKEEPER_MAX_BODY_BYTES: '2097152',
    BRIDGEKEEPER_NAME_CHARS: '32',
  })
  expect(settings).toEqual({
    fingerprints: 'block',
    callTimeoutMs: 90_000,
    maxBodyBytes: 2_097_152,
    maxCallMs: 7_200_000,
    maxPendingCalls: 128,
    nameChars: 32,
    addressFailures: { failures: 3, windowMs: 60_000, blockMs: 86_400_000 },
    rateLimits: {
      user: { maxCalls: 5, windowMs: 10_000, blockMs: 3_600_000 },
      token: { maxCalls: 4, windowMs: 60_000, blockMs: 60_000 },
      tools: {
        'memory/read_graph': { maxCalls: 1, windowMs: 86_400_000, blockMs: 172_800_000 },
        'files/a': { maxCalls: 2, windowMs: 1_000, blockMs: 1_000 },
      },
    },
  })
})

test.each([
  ['BRIDGEKEEPER_RATE_LIMIT', '100'],
  ['BRIDGEKEEPER_RATE_LIMIT', '0/1m/1m'],
  ['BRIDGEKEEPER_RATE_LIMIT', '10/0s/1m'],
  ['BRIDGEKEEPER_TOKEN_RATE_LIMIT', '10/1m/1w'],
  ['BRIDGEKEEPER_TOOL_RATE_LIMITS', 'read_graph=1/1m/1m'],
  ['BRIDGEKEEPER_TOOL_RATE_LIMITS', 'a/b=1/1m/1m,c'],
  ['BRIDGEKEEPER_ADDRESS_FAILURES', '-1/1m/1m'],
  ['BRIDGEKEEPER_FINGERPRINTS', 'BLOCK'],
  ['BRIDGEKEEPER_CALL_TIMEOUT_MS', '0'],
  ['BRIDGEKEEPER_CALL_TIMEOUT_MS', '1.5'],
  ['BRIDGEKEEPER_CALL_TIMEOUT_MS', '86400001'],
  ['BRIDGEKEEPER_MAX_CALL_MS', '0'],
  ['BRIDGEKEEPER_MAX_CALL_MS', '86400001'],
  ['BRIDGEKEEPER_MAX_PENDING_CALLS', '0'],
  ['BRIDGEKEEPER_MAX_PENDING_CALLS', '10001'],
])('[RATE.8] refuses %s=%s before opening anything', (name, value) => {
  expect(() => limitSettings({ [name]: value })).toThrow(
    expect.objectContaining({ code: 'setting_invalid', message: expect.stringContaining(name) }),
  )
})
