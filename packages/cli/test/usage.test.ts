import { Command, CommanderError } from 'commander'
import { expect, test } from 'vitest'
import { asTyped } from '../src/hints.ts'
import { usageError } from '../src/usage.ts'

const GROUPS = ['audit', 'block', 'device', 'revoke', 'token', 'user']

test.each(['npx bridgekeeper', 'bridgekeeper', './bridgekeeper'])(
  '[CLI.36] names the help of a command once, as typed: %s',
  (name) => {
    const program = new Command(name)
    for (const group of GROUPS) program.addCommand(new Command(group))
    program.addCommand(new Command('connect'))
    const unknown = new CommanderError(1, 'commander.unknownOption', "error: unknown option '--x'")
    for (const command of ['', ...GROUPS, 'connect']) {
      const words = command === '' ? [] : [command]
      const { next } = usageError(unknown, program, [...words, '--x'])
      expect(asTyped(next, name, {})).toBe(`See: ${[name, ...words].join(' ')} --help`)
    }
  },
)
