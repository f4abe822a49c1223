import { Command } from 'commander'
import { expect, test } from 'vitest'
import { addReachFlags, reachOptions } from '../src/serve-options.ts'

function parsed(line: string, env: Record<string, string> = {}) {
  const command = addReachFlags(new Command())
  command.parse(line === '' ? [] : line.split(' '), { from: 'user' })
  return reachOptions(command.opts(), env)
}

test('[CLI.15] serve takes each flag from the command line, else from the environment', () => {
  const env = {
    BRIDGEKEEPER_TLS_CERT: 'c',
    BRIDGEKEEPER_TLS_KEY: 'k',
    BRIDGEKEEPER_TLS: 'required',
    BRIDGEKEEPER_TRUSTED_PROXIES: '10.0.0.0/8, ::1,',
    BRIDGEKEEPER_PUBLIC_URLS: 'https://a',
    BRIDGEKEEPER_ALLOWED_ORIGINS: 'https://b,https://c',
  }
  expect(parsed('', env)).toEqual({
    tls: { certFile: 'c', keyFile: 'k' },
    tlsMode: 'required',
    trustedProxies: ['10.0.0.0/8', '::1'],
    publicUrls: ['https://a'],
    allowedOrigins: ['https://b', 'https://c'],
    allowV1: false,
  })
  const line =
    '--tls-cert x --tls-key y --tls off --trusted-proxy 1.1.1.1 --trusted-proxy 2.2.2.2 --public-url https://d --allow-origin https://e'
  expect(parsed(line, env)).toEqual({
    tls: { certFile: 'x', keyFile: 'y' },
    tlsMode: 'off',
    trustedProxies: ['1.1.1.1', '2.2.2.2'],
    publicUrls: ['https://d'],
    allowedOrigins: ['https://e'],
    allowV1: false,
  })
  expect(parsed('', { BRIDGEKEEPER_TLS: ' ' })).toEqual({
    trustedProxies: [],
    publicUrls: [],
    allowedOrigins: [],
    allowV1: false,
  })
})

test('[CLI.15] a certificate without a key, or a key without a certificate, is told', () => {
  for (const line of ['--tls-cert c', '--tls-key k'])
    expect(() => parsed(line)).toThrow(expect.objectContaining({ code: 'usage', next: expect.any(String) }))
})

test('[CLI.19] agents without a key are allowed by the flag, or by the environment with 1 and nothing else', () => {
  expect(parsed('--allow-v1')).toMatchObject({ allowV1: true })
  expect(parsed('--allow-v1', { BRIDGEKEEPER_ALLOW_V1: '0' })).toMatchObject({ allowV1: true })
  expect(parsed('', { BRIDGEKEEPER_ALLOW_V1: ' 1 ' })).toMatchObject({ allowV1: true })
  for (const off of ['', '0'])
    expect(parsed('', { BRIDGEKEEPER_ALLOW_V1: off })).toMatchObject({ allowV1: false })
  for (const slip of ['true', 'yes', 'off', '2'])
    expect(() => parsed('', { BRIDGEKEEPER_ALLOW_V1: slip })).toThrow(
      expect.objectContaining({ code: 'usage' }),
    )
})
