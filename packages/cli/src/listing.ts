import { Command } from 'commander'
import { forTerminal, printLine, printList } from './output.ts'
import { DATA_FLAG, type DataOptions } from './with-data.ts'

/** A command that lists what one user has or, without an email, what all users have. */
export function listCommand(
  name: string,
  description: string,
  list: (email: string | undefined, options: DataOptions) => Promise<void>,
): Command {
  return new Command(name)
    .description(description)
    .argument('[email]')
    .option(...DATA_FLAG)
    .option('--json', 'print a list of objects')
    .action(list)
}

/** Prints rows, sanitized because peers wrote the names in them. */
export function printRows(
  kind: string,
  header: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  if (rows.length === 0) printLine(`There are no ${kind}.`)
  else printList([header, ...rows.map((row) => row.map(forTerminal))])
}
