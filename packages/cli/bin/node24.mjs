import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** Oldest versions of Node 22 with `node:sqlite`, and with TypeScript sources, both without a flag. */
const MINOR_OF_22 = { '.js': 13, '.ts': 18 }

/**
 * Whether this version of Node runs a program: built JavaScript, or TypeScript sources.
 * @param {string} version as in `process.versions.node`
 * @param {{ readonly pathname: string }} program
 */
export function runs(version, { pathname }) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major >= 24 || (major === 22 && minor >= MINOR_OF_22[pathname.endsWith('.ts') ? '.ts' : '.js'])
}

/**
 * Finds the Node 24 that npm installed for this project; the running Node where that is new enough itself.
 * @returns {string | undefined} the path of the program
 */
export function findNode24() {
  const windows = process.platform === 'win32'
  const packageName = `node-${windows ? 'win' : process.platform}-${process.arch}`
  try {
    const manifest = createRequire(import.meta.url).resolve(`${packageName}/package.json`)
    return join(dirname(manifest), 'bin', windows ? 'node.exe' : 'node')
  } catch {
    return Number.parseInt(process.versions.node, 10) >= 24 ? process.execPath : undefined
  }
}

/** What to tell someone for whom {@link findNode24} found nothing. */
export const NODE_24_MISSING = `Bridgekeeper needs Node.js 24 and found ${process.version} only. \
npm brings it along on Linux and on Windows (x64); here, install Node.js 24 from https://nodejs.org and try again.`
