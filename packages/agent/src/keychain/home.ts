import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Env } from '../env.ts'

const NAME = 'bridgekeeper'

/**
 * Returns our folder within the user's settings folder; `BRIDGEKEEPER_HOME` overrides it. Source: XDG Base
 * Directory Specification, which ignores paths that are not absolute.
 */
export function agentHome(env: Env, platform: NodeJS.Platform = process.platform): string {
  const given = env.BRIDGEKEEPER_HOME
  if (given !== undefined && given !== '') return given
  if (platform === 'win32') return join(env.APPDATA ?? join(homedir(), 'AppData', 'Roaming'), NAME)
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', NAME)
  const config = env.XDG_CONFIG_HOME
  return join(config?.startsWith('/') === true ? config : join(homedir(), '.config'), NAME)
}
