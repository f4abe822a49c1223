import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Environment facts that show where clients keep their config files. */
export interface Place {
  readonly platform: NodeJS.Platform
  readonly env: Readonly<Record<string, string | undefined>>
  /** The user's own. */
  readonly home: string
  /** The current one. */
  readonly folder: string
}

const IN_FOLDER = ['.mcp.json', 'mcp.json', '.cursor/mcp.json', '.vscode/mcp.json']
const IN_HOME = ['.claude.json', '.cursor/mcp.json', '.codeium/windsurf/mcp_config.json']
const IN_SETTINGS = ['Claude/claude_desktop_config.json', 'Code/User/mcp.json']

/**
 * Finds the config files of common MCP clients. It looks only at whether they exist.
 * Source: the clients' documentation, as of 2026-11.
 */
export function foundConfigFiles({ platform, env, home, folder }: Place): readonly string[] {
  const settings = settingsFolder(platform, env, home)
  const paths = [
    ...IN_FOLDER.map((file) => join(folder, file)),
    ...IN_HOME.map((file) => join(home, file)),
    ...IN_SETTINGS.map((file) => join(settings, file)),
  ]
  return [...new Set(paths)].filter((path) => existsSync(path))
}

function settingsFolder(platform: NodeJS.Platform, env: Place['env'], home: string): string {
  if (platform === 'win32') return env.APPDATA || join(home, 'AppData', 'Roaming')
  if (platform === 'darwin') return join(home, 'Library', 'Application Support')
  return env.XDG_CONFIG_HOME || join(home, '.config')
}
