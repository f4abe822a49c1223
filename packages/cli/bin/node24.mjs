import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const PLATFORM = process.platform === 'win32' ? 'win' : process.platform
/** npm's package of Node for this machine. */
const PACKAGE = `node-${PLATFORM}-${process.arch}`

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
  try {
    const manifest = createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`)
    return join(dirname(manifest), 'bin', PLATFORM === 'win' ? 'node.exe' : 'node')
  } catch {
    return Number.parseInt(process.versions.node, 10) >= 24 ? process.execPath : undefined
  }
}

/** Printed when {@link findNode24} finds nothing. */
export const NODE_24_MISSING = `Bridgekeeper needs Node.js 22.18 or newer and found ${process.version} only: \
install Node.js 24 from https://nodejs.org and try again. On Linux and on Windows (x64), npm can install it beside \
Bridgekeeper instead: npm install ${PACKAGE}@24`
