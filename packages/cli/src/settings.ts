import { SERVE } from '@bridgekeeper/standalone'
import { repeatInHints } from './hints.ts'

/**
 * Returns `--data`, else `BRIDGEKEEPER_DATA`, else `.bridgekeeper` in the current folder. Later hints repeat
 * a folder that is not the default.
 */
export function dataFolder(option: string | undefined): string {
  const folder = SERVE.dataFolder.read({ flags: { data: option }, env: process.env })
  repeatInHints(folder === SERVE.dataFolder.default ? {} : { data: folder })
  return folder
}

/** Splits the words of `--scope`; the bridge validates them. */
export function scopes(option: string | undefined): readonly string[] | undefined {
  return option?.split(' ').filter((scope) => scope !== '')
}
