import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The files that take longest. Begun last, they would run alone while the other workers have nothing left. */
const SLOWEST = [
  'packages/standalone/test/security-log.kill.test.ts',
  'test/e2e/first-machine.test.ts',
  'test/pack/pack.test.ts',
  'packages/agent/test/servers.processes.test.ts',
  'test/tls/listener.test.ts',
  'test/e2e/demo.test.ts',
]

/** Runs the slowest files first, and the others in Vitest's own order. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.sort((one, other) => rank(one) - rank(other))
  }
}

function rank({ moduleId }: TestSpecification): number {
  const index = SLOWEST.findIndex((path) => moduleId.endsWith(path))
  return index === -1 ? SLOWEST.length : index
}
