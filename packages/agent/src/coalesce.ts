/**
 * Joins triggers: while `task` runs, any number of them lead to one more run after it.
 *
 * @param task must not reject
 */
export function coalesce(task: () => Promise<void>): () => void {
  let isWanted = false
  let isRunning = false
  const run = async () => {
    isRunning = true
    while (isWanted) {
      isWanted = false
      await task()
    }
    isRunning = false
  }
  return () => {
    isWanted = true
    if (!isRunning) void run()
  }
}
