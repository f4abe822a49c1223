import type { Revocation, Revocations } from '../ports/sessions.ts'

/** Revocations within one process, for bridges of one node and for tests. Never down. */
export function memoryRevocations(): Revocations {
  const watchers = new Set<(revocation: Revocation) => void>()
  return {
    async publish(revocation) {
      for (const listener of [...watchers]) listener(revocation)
    },
    watch(listener) {
      // A separate function per watch, so that the same function can watch twice and each watch ends once.
      const watcher = (revocation: Revocation): void => listener(revocation)
      watchers.add(watcher)
      return () => void watchers.delete(watcher)
    },
    behindMs: () => 0,
  }
}
