import type { ServerResponse } from 'node:http'
import { deny } from '../gates/verdict.ts'
import { sendRefusal } from './respond.ts'

/** Runs a callback of one request. An error ends neither the process nor the caller of the callback. */
export function guarded(response: ServerResponse, act: () => void | Promise<void>): void {
  const fail = (): void => {
    // A complete answer stays valid, whatever fails afterwards.
    if (response.writableEnded) return
    if (response.headersSent) response.destroy()
    else sendRefusal(response, deny('internal_error'))
  }
  try {
    act()?.catch(fail)
  } catch {
    fail()
  }
}
