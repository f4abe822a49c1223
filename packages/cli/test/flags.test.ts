import { SECRETS, SERVE, serveSettings } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import { expect, test } from 'vitest'
import { addSettings } from '../src/settings/flags.ts'

const serveCommand = () => addSettings(new Command('serve'), SERVE, SECRETS)

function parsed(line: string, env: Record<string, string> = {}) {
  const command = serveCommand()
  command.parse(line === '' ? [] : line.split(' '), { from: 'user' })
  return serveSettings({ flags: command.opts(), env })
}

const ENV = {
  BRIDGEKEEPER_HOST: '::1',
  PORT: '9000',
  BRIDGEKEEPER_DATA: '/data',
  BRIDGEKEEPER_TLS_CERT: 'c',
  BRIDGEKEEPER_TLS_KEY: 'k',
  BRIDGEKEEPER_TLS: 'required',
  BRIDGEKEEPER_TRUSTED_PROXIES: '10.0.0.0/8, ::1,',
  BRIDGEKEEPER_PUBLIC_URLS: 'https://a',
  BRIDGEKEEPER_ALLOWED_ORIGINS: 'https://b,https://c',
  BRIDGEKEEPER_MAX_CONNECTIONS: '7',
}

test('[CLI.15] serve takes each setting from its flag, else from the environment, else the default', () => {
  expect(parsed('', ENV)).toMatchObject({
    ...{ host: '::1', port: 9_000, dataFolder: '/data', allowV1: false, allowRegistration: undefined },
    tlsFiles: { certFile: 'c', keyFile: 'k' },
    sockets: { inAll: 7, perAddress: 512 },
    reach: {
      tls: 'required',
      trustedProxies: ['10.0.0.0/8', '::1/128'],
      publicUrls: ['https://a'],
      allowedOrigins: ['https://b', 'https://c'],
    },
  })
  const line =
    '--host 0.0.0.0 --port 1 --data d --tls-cert x --tls-key y --tls required --trusted-proxy 1.1.1.1 --trusted-proxy 2.2.2.2 --public-url https://d --allow-origin https://e --allow-registration'
  expect(parsed(line, ENV)).toMatchObject({
    ...{ host: '0.0.0.0', port: 1, dataFolder: 'd', allowRegistration: true },
    tlsFiles: { certFile: 'x', keyFile: 'y' },
    reach: {
      trustedProxies: ['1.1.1.1/32', '2.2.2.2/32'],
      publicUrls: ['https://d'],
      allowedOrigins: ['https://e'],
    },
  })
  expect(parsed('', { BRIDGEKEEPER_TLS: ' ', PORT: '' })).toMatchObject({
    ...{ host: '127.0.0.1', port: 8_787, dataFolder: '.bridgekeeper', tlsFiles: undefined },
    ...{ tokenProvider: undefined, loginProvider: undefined },
    sockets: { inAll: 20_000, perAddress: 512 },
    reach: { tls: 'required', trustedProxies: [], publicUrls: [], allowedOrigins: [], production: false },
  })
})

test.each([
  ['--tls-cert c', '--tls-key'],
  ['--tls-key k', '--tls-cert'],
])('[CLI.15] refuses %s without %s', (line, missing) => {
  expect(() => parsed(line)).toThrow(
    expect.objectContaining({ code: 'setting_invalid', message: expect.stringMatching(`^${missing} must`) }),
  )
})

test('[CLI.19] admits agents without a key by the flag, or by the variable with 1 only', () => {
  expect(parsed('--allow-v1')).toMatchObject({ allowV1: true })
  expect(parsed('--allow-v1', { BRIDGEKEEPER_ALLOW_V1: '0' })).toMatchObject({ allowV1: true })
  expect(parsed('', { BRIDGEKEEPER_ALLOW_V1: ' 1 ' })).toMatchObject({ allowV1: true })
  for (const off of ['', '0'])
    expect(parsed('', { BRIDGEKEEPER_ALLOW_V1: off })).toMatchObject({ allowV1: false })
  for (const slip of ['true', 'yes', 'off', '2'])
    expect(() => parsed('', { BRIDGEKEEPER_ALLOW_V1: slip })).toThrow(
      expect.objectContaining({
        code: 'setting_invalid',
        message: `BRIDGEKEEPER_ALLOW_V1 must be 1 or 0, got "${slip}".`,
      }),
    )
})

test('[CLI.24] --help shows each setting of serve with its variable and default', () => {
  const command = serveCommand()
  let help = ''
  command.configureOutput({
    writeOut: (text) => {
      help += text
    },
  })
  command.outputHelp()
  const shown = help.replaceAll(/\s+/g, ' ')
  for (const { flag, variable } of Object.values({ ...SERVE, ...SECRETS })) {
    if (flag !== undefined) expect(shown).toContain(flag)
    if (variable !== undefined) expect(shown).toContain(variable)
  }
  expect(shown).toContain('--port <number> port to listen on; 0 chooses a free one (PORT; default: 8787)')
  expect(shown).toContain('(repeatable; BRIDGEKEEPER_TRUSTED_PROXIES)')
  expect(shown).toContain('JWT_SECRET or JWT_SECRET_FILE')
})
