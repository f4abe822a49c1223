import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'
import { bridgeUrl, givenToken } from '../src/settings.ts'
import { UsageError } from '../src/usage-error.ts'

test.each([
  ['http://127.0.0.1:8787', 'http://127.0.0.1:8787'],
  ['http://127.0.0.1:8787/', 'http://127.0.0.1:8787'],
  ['https://example.com/under/a/path', 'https://example.com/under/a/path'],
  ['https://example.com/under/a/path//', 'https://example.com/under/a/path'],
  ['https://example.com/under/mcp', 'https://example.com/under'],
  ['http://127.0.0.1:8787/mcp/files/', 'http://127.0.0.1:8787'],
  ['wss://bridge.example.com/api/mcp-ws', 'https://bridge.example.com'],
  ['127.0.0.1:8787/mcp', 'http://127.0.0.1:8787'],
])('[CLI.12] a path before the endpoint is kept, as the agent keeps it: %s', (given, expected) => {
  expect(bridgeUrl(given)).toBe(expected)
})

test.each([
  'https://user:s3cr3t@bridge.example.com',
  'https://s3cr3t@bridge.example.com',
  'https://bridge.example.com/?token=s3cr3t',
  'https://bridge.example.com/#s3cr3t',
  'ftp://user:s3cr3t@bridge.example.com',
  'user:s3cr3t@bridge.example.com',
])('[CLI.13] an address that carries more than an address is refused and not repeated: case %#', (given) => {
  expect(() => bridgeUrl(given)).toThrow(UsageError)
  expect(() => bridgeUrl(given)).not.toThrow('s3cr3t')
})

test.skipIf(process.platform === 'win32')(
  '[FILE.1] a BRIDGEKEEPER_TOKEN_FILE that others may read is refused',
  () => {
    const file = join(scratch(), 'token')
    writeFileSync(file, 's3cr3t\n')
    chmodSync(file, 0o644)
    vi.stubEnv('BRIDGEKEEPER_TOKEN', undefined)
    vi.stubEnv('BRIDGEKEEPER_TOKEN_FILE', file)
    expect(() => givenToken(undefined)).toThrow(
      expect.objectContaining({
        code: 'rights_unsafe',
        message: expect.stringMatching(/^BRIDGEKEEPER_TOKEN_FILE .*0644/),
        next: expect.stringContaining(`chmod g-w,o= "${file}"`),
      }),
    )
    chmodSync(file, 0o600)
    expect(givenToken(undefined)).toBe('s3cr3t')
    vi.unstubAllEnvs()
  },
)
