import { Command } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { printAs, printTable } from '../output.ts'

/** `bridgekeeper version`: prints what a bug report needs. */
export function versionCommand(): Command {
  return new Command('version')
    .description('print the versions of Bridgekeeper and Node.js, and the platform')
    .option('--json', 'print {"version","node","platform","arch"}')
    .action(({ json }: { readonly json?: boolean }) => {
      const { version, platform, arch } = process
      if (json) return printAs('version', { version: manifest.version, node: version, platform, arch })
      printTable([
        ['bridgekeeper', manifest.version],
        ['node', version],
        ['platform', `${platform} ${arch}`],
      ])
    })
}
