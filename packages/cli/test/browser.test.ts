import { describe, expect, test } from 'vitest'
import { browserCommand, type Desktop } from '../src/browser.ts'

const url = 'https://bridge.example.com/device?user_code=ABCD-EFGH&x=1'
const linux: Desktop = { platform: 'linux', env: { DISPLAY: ':0' }, terminal: true }

describe('the browser', () => {
  test('[CLI.18] is opened by the system’s own command, with the address as one argument', () => {
    expect(browserCommand(url, linux)).toEqual(['xdg-open', url])
    expect(browserCommand(url, { ...linux, env: { WAYLAND_DISPLAY: 'wayland-0' } })).toEqual([
      'xdg-open',
      url,
    ])
    expect(browserCommand(url, { ...linux, platform: 'darwin', env: {} })).toEqual(['open', url])
    expect(browserCommand(url, { ...linux, platform: 'win32', env: {} })).toEqual([
      'rundll32',
      'url.dll,FileProtocolHandler',
      url,
    ])
  })

  test.each([
    ['no terminal shows the output', { terminal: false }],
    ['there is no desktop', { env: {} }],
    ['it is a build machine', { env: { DISPLAY: ':0', CI: 'true' } }],
    ['it is another machine', { env: { DISPLAY: ':10', SSH_CONNECTION: '10.0.0.1 1 10.0.0.2 22' } }],
    ['its user does not want it', { env: { DISPLAY: ':0', BRIDGEKEEPER_NO_BROWSER: '1' } }],
    ['its user does not want it, on a Mac', { platform: 'darwin', env: { BRIDGEKEEPER_NO_BROWSER: '1' } }],
  ] as const)('[CLI.18] is not opened if %s', (_why, changes) => {
    expect(browserCommand(url, { ...linux, ...changes })).toBeUndefined()
  })
})
