import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { auditCommand } from '../src/commands/audit.ts'
import { blockCommand } from '../src/commands/block.ts'
import { callCommand } from '../src/commands/call.ts'
import { connectCommand } from '../src/commands/connect.ts'
import { deviceCommand } from '../src/commands/device.ts'
import { devicesCommand } from '../src/commands/devices.ts'
import { revokeCommand } from '../src/commands/revoke.ts'
import { serveCommand } from '../src/commands/serve.ts'
import { sessionsCommand } from '../src/commands/sessions.ts'
import { statusCommand } from '../src/commands/status.ts'
import { tokenCommand } from '../src/commands/token.ts'
import { toolsCommand } from '../src/commands/tools.ts'
import { userCommand } from '../src/commands/user.ts'
import { versionCommand } from '../src/commands/version.ts'
import { jsonSchemaOf, shapes } from '../src/json/shapes.ts'

const COMMANDS = [
  ...[auditCommand, blockCommand, callCommand, connectCommand, deviceCommand, devicesCommand, revokeCommand],
  ...[serveCommand, sessionsCommand, statusCommand, tokenCommand, toolsCommand, userCommand, versionCommand],
]

/** Every command that acts, by its words. */
function leaves(command: Command, before = ''): Map<string, Command> {
  const name = `${before} ${command.name()}`.trim()
  if (command.commands.length === 0) return new Map([[name, command]])
  return new Map(command.commands.flatMap((one) => [...leaves(one, name)]))
}

const leaf = new Map(COMMANDS.flatMap((command) => [...leaves(command())]))

test('[CLI.30] every command accepts --json, and has one shape', () => {
  expect([...leaf.keys()].sort()).toEqual(Object.keys(shapes).sort())
  for (const [name, command] of leaf)
    expect(
      command.options.map(({ long }) => long),
      name,
    ).toContain('--json')
})

test('[CLI.30] the help of a command names fields of its shape', () => {
  let fields = 0
  for (const [name, shape] of Object.entries(shapes)) {
    const help = leaf.get(name)?.options.find(({ long }) => long === '--json')?.description ?? ''
    const known = JSON.stringify(jsonSchemaOf(shape))
    for (const [, field] of help.matchAll(/"(\w+)"/g)) {
      expect(known, `${name}: ${field}`).toContain(`"${field}"`)
      fields++
    }
  }
  expect(fields).toBeGreaterThan(0)
})
