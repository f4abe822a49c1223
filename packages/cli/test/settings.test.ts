import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'
import { CALLER } from '../src/settings/caller-table.ts'
import { CONNECT } from '../src/settings/connect-table.ts'

const bridgeUrl = (url: string) => CALLER.url.read({ flags: { url }, env: {} })

test.each([
  ['http://127.0.0.1:8787', 'http://127.0.0.1:8787'],
  ['http://127.0.0.1:8787/', 'http://127.0.0.1:8787'],
  ['https://example.com/under/a/path', 'https://example.com/under/a/path'],
  ['https://example.com/under/a/path//', 'https://example.com/under/a/path'],
  ['https://example.com/under/mcp', 'https://example.com/under'],
  ['http://127.0.0.1:8787/mcp/files/', 'http://127.0.0.1:8787'],
  ['wss://bridge.example.com/api/mcp-ws', 'https://bridge.example.com'],
  ['127.0.0.1:8787/mcp', 'http://127.0.0.1:8787'],
])('[CLI.12] keeps a path before the endpoint, like the agent: %s', (given, expected) => {
  expect(bridgeUrl(given)).toBe(expected)
})

test.each([
  'https://user:s3cr3t@bridge.example.com',
  'https://s3cr3t@bridge.example.com',
  'https://bridge.example.com/?token=s3cr3t',
  'https://bridge.example.com/#s3cr3t',
  'ftp://user:s3cr3t@bridge.example.com',
  'user:s3cr3t@bridge.example.com',
])('[CLI.13] refuses an address that contains more, without repeating it: case %#', (given) => {
  expect(() => bridgeUrl(given)).toThrow(expect.objectContaining({ code: 'setting_invalid' }))
  expect(() => bridgeUrl(given)).not.toThrow('s3cr3t')
})

test.skipIf(process.platform === 'win32')(
  '[FILE.1] refuses a BRIDGEKEEPER_TOKEN_FILE that others may read',
  () => {
    const file = join(scratch(), 'token')
    writeFileSync(file, 's3cr3t\n')
    chmodSync(file, 0o644)
    const token = () => CALLER.token.read({ flags: {}, env: { BRIDGEKEEPER_TOKEN_FILE: file } })
    expect(token).toThrow(
      expect.objectContaining({
        code: 'rights_unsafe',
        message: expect.stringMatching(/^BRIDGEKEEPER_TOKEN_FILE .*0644/),
        next: expect.stringContaining(`chmod g-w,o= "${file}"`),
      }),
    )
    chmodSync(file, 0o600)
    expect(token()).toBe('s3cr3t')
  },
)

const startTimeout = (text?: string) =>
  CONNECT.startTimeoutMs.read({ flags: { startTimeout: text }, env: {} })

test('[PROC.15] reads --start-timeout in seconds', () => {
  expect([undefined, '300', '0.5', '3600'].map(startTimeout)).toEqual([undefined, 300_000, 500, 3_600_000])
})

test.each(['', ' ', '0', '-1', '3601', '5m', 'NaN', '1e3'])(
  '[PROC.15] refuses --start-timeout %j',
  (text) => {
    expect(() => startTimeout(text)).toThrow(
      `--start-timeout must be a number of seconds from 0.1 to 3600, got ${JSON.stringify(text)}.`,
    )
  },
)

test('[CLI.12] takes a caller’s address from BRIDGEKEEPER_URL, else loopback with PORT or the usual port', () => {
  const url = (env: Readonly<Record<string, string>>) => CALLER.url.read({ flags: {}, env })
  expect(url({})).toBe('http://127.0.0.1:8787')
  expect(url({ PORT: '9000' })).toBe('http://127.0.0.1:9000')
  expect(url({ PORT: '9000', BRIDGEKEEPER_URL: 'bridge.example.com/mcp' })).toBe('https://bridge.example.com')
})
