import { homedir } from 'node:os'
import { join } from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

const NAME = 'bridgekeeper'

/**
 * The folder in which this user's programs keep their settings, and in it ours. `BRIDGEKEEPER_HOME`
 * names another one.
 * Source: XDG Base Directory Specification; a path there that is not absolute is ignored, as it says.
 */
export function agentHome(env: Environment, platform: NodeJS.Platform = process.platform): string {
  const given = env.BRIDGEKEEPER_HOME
  if (given !== undefined && given !== '') return given
  if (platform === 'win32') return join(env.APPDATA ?? join(homedir(), 'AppData', 'Roaming'), NAME)
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', NAME)
  const config = env.XDG_CONFIG_HOME
  return join(config?.startsWith('/') === true ? config : join(homedir(), '.config'), NAME)
}
