import { spawn } from 'node:child_process'
import { CONNECT } from './settings/connect-table.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Environment facts that show whether the user has a browser here. */
export interface Desktop {
  readonly platform: NodeJS.Platform
  readonly env: Environment
  /** Whether a person reads what we print. */
  readonly terminal: boolean
}

/**
 * Returns the command that opens an address in the user's browser, without a shell. Returns `undefined` if no
 * user sits at a desktop: no terminal, CI, SSH, or no display.
 */
export function browserCommand(
  url: string,
  { platform, env, terminal }: Desktop,
): readonly [string, ...string[]] | undefined {
  const isSet = (name: string) => env[name] !== undefined && env[name] !== ''
  if (!terminal || ['CI', 'SSH_CONNECTION'].some(isSet)) return undefined
  if (CONNECT.noBrowser.read({ flags: {}, env }) !== undefined) return undefined
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler', url]
  if (platform === 'darwin') return ['open', url]
  // Without a desktop, xdg-open would start a browser in our own terminal.
  return isSet('DISPLAY') || isSet('WAYLAND_DISPLAY') ? ['xdg-open', url] : undefined
}

/** Opens the address if possible; it is printed in any case. */
export function openBrowser(url: string): void {
  const terminal = process.stdout.isTTY === true
  const [command, ...args] =
    browserCommand(url, { platform: process.platform, env: process.env, terminal }) ?? []
  if (command === undefined) return
  const child = spawn(command, args, { stdio: 'ignore', detached: true })
  child.on('error', () => {})
  child.unref()
}
