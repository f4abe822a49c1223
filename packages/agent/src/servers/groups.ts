import { spawn } from 'node:child_process'

/**
 * Signals a process group; signal 0 only checks whether it lives. On Windows, which has no groups, any other
 * signal ends the process and its descendants.
 *
 * @returns whether the group exists
 */
export function signalGroup(groupId: number, signal: NodeJS.Signals | 0): boolean {
  if (process.platform === 'win32' && signal !== 0) {
    spawn('taskkill', ['/pid', String(groupId), '/T', '/F'], { stdio: 'ignore', windowsHide: true }).on(
      'error',
      () => {},
    )
    return true
  }
  try {
    return process.kill(process.platform === 'win32' ? groupId : -groupId, signal)
  } catch (error) {
    // EPERM: it lives, but may no longer be signalled, for example after a setuid program was started. The reaper runs
    // this file, so it imports nothing that takes time or memory to load.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
