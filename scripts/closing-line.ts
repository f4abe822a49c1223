import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/**
 * Ends the test run's output with `N passed, N failed`, for scripts. Counts as failed everything that turns
 * the run red: a test, a file or a hook that throws, an unhandled error.
 */
export class ClosingLine implements Reporter {
  #line = '0 passed, 1 failed'

  onInit(): void {
    // Vitest itself may still print while it shuts down.
    process.once('exit', () => console.log(this.#line))
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const groups = modules.flatMap((module) => [module, ...module.children.allSuites()])
    const count = (state: string) => tests.filter((test) => test.result().state === state).length

    const broken = groups.filter((group) => group.errors().length > 0).length
    const failed = count('failed') + broken + unhandledErrors.length
    const skipped = count('skipped')
    this.#line = `${count('passed')} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
  }
}
