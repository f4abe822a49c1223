import { existsSync } from 'node:fs'
import type { Environment } from '@bridgekeeper/bridge/parts'
import { SetupError } from '../config/setup-error.ts'
import { derivedKey, loadSecret } from '../data/secret.ts'
import { anchorPath, archivePaths, currentPath } from '../security-log/files.ts'
import { type Verification, verifyLog } from '../security-log/verify.ts'

/**
 * Verifies the security log of a data folder, also while a node runs on it. Changes nothing.
 * @throws SetupError `log_missing`, `log_unusable`, or if the secret is invalid
 */
export function verifySecurityLog(folder: string, env: Environment): Verification {
  if (!hasLog(folder)) {
    throw new SetupError(
      'log_missing',
      `There is no security log in ${folder}.`,
      'Set the data folder of the bridge: --data DIR. Its log exists after the first bridgekeeper serve.',
    )
  }
  const key = derivedKey(loadSecret(env, folder), 'security log anchor')
  try {
    return verifyLog(folder, key)
  } catch (error) {
    const { message } = error as NodeJS.ErrnoException
    throw new SetupError('log_unusable', `The security log cannot be read: ${message}`, 'Check its rights.', {
      cause: error,
    })
  }
}

/** An anchor without a log shows that there was one. */
function hasLog(folder: string): boolean {
  if (existsSync(anchorPath(folder)) || existsSync(currentPath(folder))) return true
  return existsSync(folder) && archivePaths(folder).length > 0
}
