import { agentHome, KEY_STORE_CHOICES, Keychain, realSystem } from '@bridgekeeper/agent'
import {
  oneOf,
  optional,
  type Setting,
  type SettingSource,
  seconds,
  text,
  toggle,
  withDefault,
} from '@bridgekeeper/standalone/settings'
import { tokenSetting } from './caller-table.ts'

const home: Setting<string> = {
  variable: 'BRIDGEKEEPER_HOME',
  help: 'folder of the keys of this machine and of the bridges it is enrolled at',
  unset: "the user's folder for settings",
  shape: 'one',
  read: ({ env }) => agentHome(env),
}

/** Settings of every command that uses this machine's keys. */
export const KEYCHAIN = {
  home,
  keyStore: withDefault(oneOf(KEY_STORE_CHOICES), {
    variable: 'BRIDGEKEEPER_KEY_STORE',
    help: `where new keys are kept: ${KEY_STORE_CHOICES.join(', ')}`,
    example: 'file',
    default: 'auto',
  }),
}

/** Settings of `connect`. */
export const CONNECT = {
  // The agent reads the address: it knows more spellings, and which of them are safe.
  url: optional(text, {
    flag: '[url]',
    variable: 'BRIDGEKEEPER_URL',
    help: 'address of the bridge, with or without /mcp',
    example: 'https://bridge.example.com',
    isPrivate: true,
  }),
  config: withDefault(text, {
    flag: '--config <file>',
    variable: 'BRIDGEKEEPER_CONFIG',
    help: 'mcpServers file',
    example: 'mcp.json',
    default: '.mcp.json',
  }),
  token: { ...tokenSetting, help: 'access token, instead of enrolling this machine' },
  deviceName: optional(text, {
    flag: '--device-name <name>',
    help: 'name of this machine at the bridge',
    example: '"Ann\'s laptop"',
    unset: "the system's name for it",
  }),
  enrolAgain: toggle({ flag: '--enrol-again', help: 'forget this bridge and its key, and enrol again' }),
  startTimeoutMs: optional(seconds(0.1, 3_600), {
    flag: '--start-timeout <seconds>',
    help: 'time that a server has to start, unless its entry says so',
    example: '300',
    unset: '120; 600 for npx, uvx, docker and the like',
  }),
  allowInsecure: toggle({ flag: '--allow-insecure', help: 'allow http:// to another machine' }),
  noBrowser: optional(text, {
    variable: 'BRIDGEKEEPER_NO_BROWSER',
    help: 'if set, no browser is opened',
    example: '1',
  }),
}

/** The keys of this machine. @throws SetupError `setting_invalid` */
export function keychain(env: SettingSource['env']): Keychain {
  const source = { flags: {}, env }
  return new Keychain({
    home: KEYCHAIN.home.read(source),
    keyStore: KEYCHAIN.keyStore.read(source),
    system: realSystem,
  })
}
