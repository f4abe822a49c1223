import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { repository } from '../support/program.ts'

interface LockedPackage {
  readonly link?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const locked: Readonly<Record<string, LockedPackage>> = JSON.parse(
  readFileSync(join(repository, 'package-lock.json'), 'utf8'),
).packages

/** Tarballs by package, as `npm run pack` names them. */
const TARBALLS = {
  '@bridgekeeper/protocol': 'bridgekeeper-protocol',
  '@bridgekeeper/bridge': 'bridgekeeper-bridge',
  '@bridgekeeper/standalone': 'bridgekeeper-standalone',
  '@bridgekeeper/agent': 'bridgekeeper-agent',
  bridgekeeper: 'bridgekeeper',
} as const

/** Builds and packs every package into a folder. */
export function pack(folder: string): void {
  const { status, stderr } = spawnSync(process.execPath, [join(repository, 'scripts/pack.ts'), folder], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`Packing failed:\n${stderr}`)
}

/**
 * Installs tarballs and packages of the lockfile in a folder, without a network: a tarball is extracted, every
 * dependency of the lockfile is copied to where npm would put it, and nothing else is there.
 * @param tarballs the folder that `pack` filled
 */
export function install(folder: string, tarballs: string, wanted: readonly string[]): void {
  const places = new Set<string>()
  for (const name of wanted) collect(name, '', places)
  for (const place of places) {
    const target = join(folder, installedPlace(place))
    const tarball = tarballOf(place, tarballs)
    if (tarball !== undefined) extract(tarball, target)
    else {
      const own = join(repository, place, 'node_modules')
      cpSync(join(repository, place), target, { recursive: true, filter: (path) => path !== own })
    }
  }
  linkCommand(folder)
}

/** Adds the place of a package and of all that it needs, found from a place as Node finds them. */
function collect(name: string, from: string, places: Set<string>): void {
  const place = resolved(name, from)
  if (place === undefined || places.has(place)) return
  places.add(place)
  const { dependencies, optionalDependencies, peerDependencies } = locked[place] ?? {}
  for (const one of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }))
    collect(one, place, places)
}

/** @returns the place of a package in the lockfile; `undefined` if it was not installed, being optional */
function resolved(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = folder === '' ? '..' : dirname(folder).replace(/^\.$/, '')) {
    if (folder === '..') return undefined
    const place = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`
    const entry = locked[place]
    if (entry === undefined || !existsSync(join(repository, place))) continue
    return entry.link === true ? workspaceOf(name) : place
  }
}

function workspaceOf(name: string): string {
  return `packages/${name === 'bridgekeeper' ? 'cli' : name.replace('@bridgekeeper/', '')}`
}

function packageName(place: string): keyof typeof TARBALLS | undefined {
  return (Object.keys(TARBALLS) as (keyof typeof TARBALLS)[]).find((name) => workspaceOf(name) === place)
}

function tarballOf(place: string, tarballs: string): string | undefined {
  const name = packageName(place)
  return name && join(tarballs, `${TARBALLS[name]}-0.1.0.tgz`)
}

/** `packages/bridge/node_modules/x` goes to `node_modules/@bridgekeeper/bridge/node_modules/x`. */
function installedPlace(place: string): string {
  return place.replace(/^packages\/[^/]+/, (own) => `node_modules/${packageName(own)}`)
}

function extract(tarball: string, folder: string): void {
  mkdirSync(folder, { recursive: true })
  const { status } = spawnSync('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1'])
  if (status !== 0) throw new Error(`Cannot extract ${tarball}.`)
}

function linkCommand(folder: string): void {
  const command = join(folder, 'node_modules/bridgekeeper/bin/bridgekeeper.mjs')
  if (!existsSync(command)) return
  mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true })
  symlinkSync(command, join(folder, 'node_modules/.bin/bridgekeeper'))
}
