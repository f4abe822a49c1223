import { realSystem } from '@bridgekeeper/bridge/parts'
import { DataFolder, demandDataFolder, SECRETS } from '@bridgekeeper/standalone'
import { dataFolder } from './settings.ts'

/** Flags of a command that acts on a data folder. */
export interface DataOptions {
  readonly data?: string
  readonly json?: boolean
}

export const DATA_FLAG = [
  '--data <dir>',
  'data folder (default: BRIDGEKEEPER_DATA or ./.bridgekeeper)',
] as const

/**
 * Opens the data folder of a command for as long as it acts.
 * @param makes whether a missing folder is made; otherwise only a database elsewhere can do without
 * @throws SetupError `data_folder_missing`, or if the folder is unusable
 */
export async function withData<T>(
  { data: given }: DataOptions,
  act: (data: DataFolder) => Promise<T>,
  makes = false,
): Promise<T> {
  const { env } = process
  const folder = dataFolder(given)
  if (!makes && SECRETS.databaseUrl.read({ flags: {}, env }) === undefined) demandDataFolder(folder)
  const data = await DataFolder.open(folder, env, realSystem())
  try {
    return await act(data)
  } finally {
    await data.close()
  }
}
