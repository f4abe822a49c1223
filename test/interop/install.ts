import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Installs packages into a folder beside ours, so that our lockfile does not grow. Later runs use the folder again.
 * @param versions exact version of each package
 * @returns the folder
 * @throws Error if npm fails
 */
export function install(name: string, versions: Readonly<Record<string, string>>): string {
  const folder = join(import.meta.dirname, '../../node_modules/.cache/bridgekeeper-interop', name)
  const stamp = join(folder, 'installed.json')
  const wanted = JSON.stringify({ private: true, dependencies: versions }, null, 2)
  if (contentOf(stamp) === wanted) return folder
  console.log(`Installing ${Object.keys(versions).length} packages in ${folder}…`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), wanted)
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const { status } = spawnSync('npm', args, { cwd: folder, stdio: 'inherit' })
  if (status !== 0) throw new Error(`npm could not install the packages in ${folder}.`)
  writeFileSync(stamp, wanted)
  return folder
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
