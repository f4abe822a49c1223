import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The files that take over ten seconds. Begun last, they would run alone while the other workers have nothing left. */
const SLOWEST = [
  'test/e2e/first-machine.test.ts',
  'test/conformance/conformance.test.ts',
  'test/interop/clients.test.ts',
  'packages/agent/test/servers.processes.test.ts',
  'test/e2e/cli-serve.test.ts',
  'test/tls/listener.test.ts',
  'test/e2e/cli-json.test.ts',
  'test/e2e/stop.test.ts',
  'test/e2e/security-log.test.ts',
  'test/e2e/bridge-addresses.test.ts',
  'test/e2e/output.test.ts',
  'test/e2e/cli-passwords.test.ts',
  'test/e2e/demo.test.ts',
  'test/e2e/mcp-bytes.test.ts',
  'test/e2e/cli-connect.test.ts',
  'test/e2e/session-restarts.test.ts',
  'test/e2e/cli-accounts.test.ts',
  'test/e2e/refused-agents.test.ts',
  'packages/agent/test/eras/rounds.test.ts',
  'packages/standalone/test/security-log.kill.test.ts',
  'test/e2e/session-clients.test.ts',
  'test/fuzz/frames.test.ts',
  'test/attack/flood.test.ts',
  'test/attack/many-sessions.test.ts',
]

/** Projects in turn: a worker loads the code again when its next file belongs to another project. */
const PROJECTS = ['pack', 'others', 'gates', 'memory']

/** Runs the slowest files of a project first, and the others in Vitest's own order. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.sort((one, other) => turn(one) - turn(other) || rank(one) - rank(other))
  }
}

function turn({ project }: TestSpecification): number {
  return PROJECTS.indexOf(project.name)
}

function rank({ moduleId }: TestSpecification): number {
  const index = SLOWEST.findIndex((path) => moduleId.endsWith(path))
  return index === -1 ? SLOWEST.length : index
}
