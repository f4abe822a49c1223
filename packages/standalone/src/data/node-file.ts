import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isObject, parseJson } from '@bridgekeeper/protocol'

const NODE_FILE = 'node.json'
const MAX_URL_CHARS = 2_048

/** Notes where the node of a data folder listens, for `bridgekeeper status`. A failure is no reason not to serve. */
export function noteNodeUrl(folder: string, url: string): void {
  try {
    writeFileSync(join(folder, NODE_FILE), `${JSON.stringify({ url })}\n`, { mode: 0o600 })
  } catch {}
}

/** Removes the note. One that a killed node left is ignored, as no process has the log's lock. */
export function forgetNodeUrl(folder: string): void {
  try {
    rmSync(join(folder, NODE_FILE), { force: true })
  } catch {}
}

/** The address that a running node noted, if any. */
export function notedNodeUrl(folder: string): string | undefined {
  try {
    const noted = parseJson(readFileSync(join(folder, NODE_FILE), 'utf8'))?.value
    const url = isObject(noted) ? noted.url : undefined
    return typeof url === 'string' && url.length <= MAX_URL_CHARS && URL.canParse(url) ? url : undefined
  } catch {
    return undefined
  }
}
