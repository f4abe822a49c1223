import type { Revocation, Revocations } from '../ports/sessions.ts'

/** Tells whoever watches in this process, at once: for bridges of one node, and for tests. Never down. */
export function memoryRevocations(): Revocations {
  const watchers = new Set<(revocation: Revocation) => void>()
  return {
    async publish(revocation) {
      for (const told of [...watchers]) told(revocation)
    },
    watch(told) {
      // Of its own, so that one function that watches twice is told twice, and ends once.
      const watcher = (revocation: Revocation): void => told(revocation)
      watchers.add(watcher)
      return () => void watchers.delete(watcher)
    },
    behindMs: () => 0,
  }
}
