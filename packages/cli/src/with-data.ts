import { realSystem } from '@bridgekeeper/bridge'
import { DataFolder } from '@bridgekeeper/standalone'
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

/** Opens the data folder of a command for as long as it acts. @throws SetupError if the folder is unusable */
export async function withData<T>(
  { data: given }: DataOptions,
  act: (data: DataFolder) => Promise<T>,
): Promise<T> {
  const data = await DataFolder.open(dataFolder(given), process.env, realSystem())
  try {
    return await act(data)
  } finally {
    await data.close()
  }
}
