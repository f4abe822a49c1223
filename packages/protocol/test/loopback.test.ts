import { expect, test } from 'vitest'
import { isLoopbackHost, LOOPBACK_NAMES } from '../src/index.ts'

test.each([...LOOPBACK_NAMES, '::1', '127.0.0.53', '127.255.255.254'])(
  '[LINK.34] recognizes %s as this machine',
  (host) => {
    expect(isLoopbackHost(host)).toBe(true)
  },
)

test.each([
  '',
  '127.0.0.1.evil.example',
  'localhost.evil.example',
  'evil.localhost',
  'xlocalhost',
  '127.1',
  '128.0.0.1',
  '0.0.0.0',
  '[::]',
])('[LINK.34] does not recognize %j as this machine', (host) => {
  expect(isLoopbackHost(host)).toBe(false)
})
