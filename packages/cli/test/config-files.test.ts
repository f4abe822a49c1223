import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'
import { foundConfigFiles } from '../src/config-files.ts'

test.each([
  ['linux', {}, '.config/Claude/claude_desktop_config.json'],
  ['darwin', {}, 'Library/Application Support/Claude/claude_desktop_config.json'],
  ['win32', {}, 'AppData/Roaming/Code/User/mcp.json'],
] as const)(
  '[CLI.25] finds clients’ config files in the folder and at home on %s',
  (platform, env, inSettings) => {
    const home = scratch()
    const folder = scratch()
    const place = { platform, env, home, folder }
    expect(foundConfigFiles(place)).toEqual([])
    const files = [join(folder, '.mcp.json'), join(home, '.cursor/mcp.json'), join(home, inSettings)]
    for (const file of files) {
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, '{}')
    }
    expect(foundConfigFiles(place)).toEqual(files)
  },
)

test('[CLI.25] follows APPDATA and XDG_CONFIG_HOME, and names a file once if home is the current folder', () => {
  const home = scratch()
  const settings = scratch()
  const file = join(settings, 'Code/User/mcp.json')
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, '{}')
  for (const [platform, name] of [
    ['win32', 'APPDATA'],
    ['linux', 'XDG_CONFIG_HOME'],
  ] as const)
    expect(foundConfigFiles({ platform, env: { [name]: settings }, home, folder: home })).toEqual([file])
  const cursor = join(home, '.cursor/mcp.json')
  mkdirSync(dirname(cursor))
  writeFileSync(cursor, '{}')
  expect(foundConfigFiles({ platform: 'linux', env: {}, home, folder: home })).toEqual([cursor])
})
