import { join } from 'node:path'
import { type ServeOptions, type ServeSettings, serveSettings, type TlsFiles } from '@bridgekeeper/standalone'
import { scratch } from './scratch.ts'

/** Settings of a node on a free port with a new data folder, as its flags and its environment give them. */
export function settingsOf(
  flags: Readonly<Record<string, unknown>> = {},
  env: Readonly<Record<string, string>> = {},
): ServeSettings {
  return serveSettings({ flags: { port: '0', data: join(scratch(), 'data'), ...flags }, env })
}

/** Options of a node that a test starts. */
export interface NodeTestOptions extends Partial<Omit<ServeOptions, 'settings' | 'env'>> {
  readonly flags?: Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string>>
}

export function tlsFlags({ certFile, keyFile }: TlsFiles) {
  return { tlsCert: certFile, tlsKey: keyFile }
}
