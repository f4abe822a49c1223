import { SERVE } from '@bridgekeeper/standalone'

/** `--data`, else `BRIDGEKEEPER_DATA`, else `.bridgekeeper` in the current folder. */
export function dataFolder(option: string | undefined): string {
  return SERVE.dataFolder.read({ flags: { data: option }, env: process.env })
}

/** Splits the words of `--scope`; the bridge validates them. */
export function scopes(option: string | undefined): readonly string[] | undefined {
  return option?.split(' ').filter((scope) => scope !== '')
}
