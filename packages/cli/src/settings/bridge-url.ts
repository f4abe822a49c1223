import { plainAddress, readBridgeUrl } from '@bridgekeeper/protocol'
import { type Setting, SetupError } from '@bridgekeeper/standalone/settings'

const FLAG = '--url'
const DEFAULT_PORT = '8787'

/**
 * The bridge of callers, in any spelling that `readBridgeUrl` accepts. The value has no slash at its end,
 * since a bridge may have a path. Errors never repeat an address: it may contain a password.
 */
export const bridgeUrlSetting: Setting<string> = {
  flag: `${FLAG} <url>`,
  variable: 'BRIDGEKEEPER_URL',
  help: 'address of the bridge, with or without /mcp',
  example: 'https://bridge.example.com',
  default: 'http://127.0.0.1:8787',
  isPrivate: true,
  shape: 'one',
  read: ({ flags, env }) => {
    if (typeof flags.url === 'string') return webAddress(FLAG, flags.url)
    const here = `http://127.0.0.1:${env.PORT?.trim() || DEFAULT_PORT}`
    return webAddress('BRIDGEKEEPER_URL', env.BRIDGEKEEPER_URL?.trim() || here)
  },
}

function webAddress(name: string, text: string): string {
  const url = readBridgeUrl(text)
  if (url === undefined)
    throw new SetupError(
      'setting_invalid',
      `${name} must be the http(s) URL of a bridge.`,
      'Use a URL like https://bridge.example.com.',
    )
  const address = plainAddress(url)
  if (address === undefined)
    throw new SetupError(
      'setting_invalid',
      `${name} must be a URL without user name, password, query and fragment: URLs end up in logs.`,
      'Remove them; pass a token with BRIDGEKEEPER_TOKEN or --token.',
    )
  return address
}
