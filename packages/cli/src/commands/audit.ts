import { type Problem, type Verification, verifySecurityLog } from '@bridgekeeper/standalone'
import { Command } from 'commander'
import { forTerminal, printAs, printLine } from '../output.ts'
import { dataFolder } from '../settings.ts'

interface Options {
  readonly data?: string
  readonly json?: boolean
}

/** `bridgekeeper audit verify`: checks that the security log is intact. */
export function auditCommand(): Command {
  const verify = new Command('verify')
    .description('verify that no line of the security log was changed, added, moved or removed')
    .option('--data <dir>', 'data folder (default: BRIDGEKEEPER_DATA or ./.bridgekeeper)')
    .option('--json', 'print {"intact","firstSeq","lastSeq","problems",…}')
    .action((options: Options) => {
      const found = verifySecurityLog(dataFolder(options.data), process.env)
      if (!found.intact) process.exitCode = 1
      if (options.json) return printAs('audit verify', { ...found, problems: [...found.problems] })
      for (const line of describe(found)) printLine(forTerminal(line))
    })
  return new Command('audit').description('the security log').addCommand(verify)
}

function describe(found: Verification): string[] {
  const { problems, problemCount, firstSeq, lastSeq, anchoredSeq, lines, files, tornBytes } = found
  const more = problemCount - problems.length
  return [
    `${lines} lines in ${files} ${files === 1 ? 'file' : 'files'}, numbers ${firstSeq} to ${lastSeq}; anchored up to ${anchoredSeq}.`,
    ...(firstSeq > 1 ? [`It starts at ${firstSeq}: older files were removed.`] : []),
    ...problems.map(problemText),
    ...(more > 0 ? [`… and ${more} more.`] : []),
    ...(tornBytes > 0
      ? [`Read up to the last complete line, ${lastSeq}; ${tornBytes} bytes of a torn line follow.`]
      : []),
    verdict(found),
  ]
}

function verdict({ intact, problems }: Verification): string {
  if (intact) return 'The log is intact.'
  if (problems.some(({ kind }) => kind !== 'anchor_unproven')) return 'The log was ALTERED.'
  return 'The log was ALTERED, or JWT_SECRET is not the secret of the bridge.'
}

function problemText({ file, line, text }: Problem): string {
  return file === undefined ? text : `${file}:${line}  ${text}`
}
