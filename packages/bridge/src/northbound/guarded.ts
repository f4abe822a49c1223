import type { ServerResponse } from 'node:http'
import { deny } from '../gates/verdict.ts'
import { sendRefusal } from './respond.ts'

/** What goes wrong with one request must end neither the process nor what called back for it. */
export function guarded(response: ServerResponse, act: () => void | Promise<void>): void {
  const fail = (): void => {
    // An answer that is whole is one, whatever fails after it.
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
