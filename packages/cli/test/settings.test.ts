import { expect, test } from 'vitest'
import { bridgeUrl } from '../src/settings.ts'
import { UsageError } from '../src/usage-error.ts'

test.each([
  ['http://127.0.0.1:8787', 'http://127.0.0.1:8787'],
  ['http://127.0.0.1:8787/', 'http://127.0.0.1:8787'],
  ['https://example.com/under/a/path', 'https://example.com/under/a/path'],
  ['https://example.com/under/a/path//', 'https://example.com/under/a/path'],
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
