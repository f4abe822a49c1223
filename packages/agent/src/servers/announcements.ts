import type { System } from '../system.ts'
import type { ServerMessage } from './instance.ts'

/** Minimum time between two equal announcements. */
export const ANNOUNCE_MS = 1_000
/** Different announcements that are remembered at once. Further ones pass as they come. */
const MAX_DIFFERENT = 64
/** A longer announcement passes as it comes, since it would be kept for a second. */
const MAX_BYTES = 4_096
const LIST_CHANGED = /^notifications\/(?:tools|prompts|resources)\/list_changed$/

/**
 * Thins out announcements that a list has changed. Clients read a list at each, and some servers announce a
 * change at each reading. The first passes at once, and those that follow it within a second as one.
 */
export class Announcements {
  readonly #system: System
  readonly #pass: (message: ServerMessage) => void
  /** Announcements of the last second: whether each came again, and how to forget it. */
  readonly #recent = new Map<string, { again: boolean; readonly cancel: () => void }>()

  constructor(system: System, pass: (message: ServerMessage) => void) {
    this.#system = system
    this.#pass = pass
  }

  /** Takes any message; only announcements can be held back. */
  take(message: ServerMessage): void {
    if (!LIST_CHANGED.test(message.method) || message.raw.length > MAX_BYTES) return this.#pass(message)
    const text = message.raw.toString('latin1')
    const recent = this.#recent.get(text)
    if (recent !== undefined) recent.again = true
    else {
      if (this.#recent.size < MAX_DIFFERENT) this.#remember(text, message)
      this.#pass(message)
    }
  }

  /** The server has ended. */
  end(): void {
    for (const { cancel } of this.#recent.values()) cancel()
  }

  #remember(text: string, message: ServerMessage): void {
    const cancel = this.#system.schedule(ANNOUNCE_MS, () => {
      this.#recent.delete(text)
      if (recent.again) this.take(message)
    })
    const recent = { again: false, cancel }
    this.#recent.set(text, recent)
  }
}
