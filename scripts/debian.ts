import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const APT_LOCK = join(tmpdir(), 'bridgekeeper-apt.lock')

/**
 * Makes sure that a command of Debian's is here, for tests that need the real program: installs its package
 * where we are root and apt is there.
 * @returns `undefined` when it is here, otherwise what is missing and how to get it
 */
export function missingDebianCommand(command: string, packageName: string): string | undefined {
  if (isThere(command)) return undefined
  if (process.getuid?.() === 0 && isThere('apt-get')) install(packageName)
  if (isThere(command)) return undefined
  return `${command} is missing. On Debian or Ubuntu: apt-get install --no-install-recommends ${packageName}`
}

function isThere(command: string): boolean {
  const folders = (process.env.PATH ?? '').split(':')
  return [...folders, '/usr/sbin', '/usr/bin'].some((folder) => existsSync(join(folder, command)))
}

function install(packageName: string): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  // Serializes installations: test files that need packages run concurrently, and apt does not wait for its
  // lock.
  const apt = (...args: string[]): boolean =>
    spawnSync('flock', [APT_LOCK, 'apt-get', ...args], { env, stdio: 'ignore' }).status === 0
  const args = ['install', '-y', '-qq', '--no-install-recommends', packageName]
  if (!apt(...args) && apt('update', '-qq')) apt(...args)
}
