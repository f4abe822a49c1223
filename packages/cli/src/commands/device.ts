import {
  type BridgeRecord,
  bridgeAddress,
  DeviceLogin,
  type EnrolledRecord,
  realSystem,
  type UnusableRecord,
} from '@bridgekeeper/agent'
import { Command } from 'commander'
import { demandVerifiedTls } from '../enrolment.ts'
import { repeatInHints } from '../hints.ts'
import type { Printed } from '../json/shapes.ts'
import { endSignal } from '../lifetime.ts'
import { forTerminal, printAs, printHint, printLine, printList } from '../output.ts'
import { keychain } from '../settings/connect-table.ts'
import { UsageError } from '../usage-error.ts'

interface Options {
  readonly allowInsecure?: boolean
  readonly json?: boolean
}

/** `bridgekeeper device list|forget|rotate`: where this machine is enrolled. */
export function deviceCommand(): Command {
  const list = new Command('list')
    .description('the bridges at which this machine is enrolled')
    .option('--json', 'print [{"bridge","state","deviceId","name","userId","keyId","generation","keyStore"}]')
    .action(runList)
  const forget = new Command('forget')
    .description("destroy this machine's key for a bridge, and forget the bridge")
    .argument('<url>')
    .option('--json', 'print {"bridge"}')
    .action(runForget)
  const rotate = new Command('rotate')
    .description("replace this machine's key for a bridge by a new one")
    .argument('<url>')
    .option('--allow-insecure', 'allow http:// to another machine')
    .option('--json', 'print {"bridge","keyId","generation"}')
    .action(runRotate)
  return new Command('device')
    .description("this machine's keys for bridges")
    .addCommand(list)
    .addCommand(forget)
    .addCommand(rotate)
}

async function runList({ json }: Options): Promise<void> {
  const found = await keychain(process.env).list()
  if (json) return printAs('device list', found.map(described))
  if (found.length === 0)
    return printHint('This machine is not enrolled at any bridge. Next: bridgekeeper connect URL')
  printList([
    ['BRIDGE', 'NAME', 'STATE', 'KEY STORE'],
    ...found.map((record) =>
      'problem' in record
        ? [forTerminal(record.path), '', record.problem.code]
        : [record.bridge, forTerminal(record.name), record.state, record.keyStore],
    ),
  ])
}

function described(record: BridgeRecord | UnusableRecord): Printed<'device list'>[number] {
  if ('problem' in record) {
    const { code, message, next } = record.problem
    return { path: record.path, error: { code, message, next } }
  }
  const { bridge, state, name, keyId, keyStore } = record
  return { bridge, state, name, keyId, keyStore, ...(state === 'enrolled' && enrolledAs(record)) }
}

async function runForget(url: string, { json }: Options): Promise<void> {
  const bridge = bridgeAddress(url, true)
  repeatInHints({ url: bridge })
  if (!(await keychain(process.env).remove(bridge))) throw notEnrolled(bridge)
  if (json) return printAs('device forget', { bridge })
  printLine(`Forgot ${bridge}, and destroyed this machine's key for it.`)
  printLine(`Next: also revoke the machine at ${bridge}/account.`)
}

async function runRotate(url: string, { allowInsecure, json }: Options): Promise<void> {
  demandVerifiedTls(process.env)
  const bridge = bridgeAddress(url, allowInsecure ?? false)
  repeatInHints({ url: bridge })
  const login = new DeviceLogin(keychain(process.env), bridge, realSystem, endSignal())
  const { keyId, generation } = await login.rotate()
  if (json) return printAs('device rotate', { bridge, keyId, generation })
  printLine(`This machine has a new key at ${bridge}: key number ${generation}. The old one is destroyed.`)
}

function enrolledAs({ deviceId, userId, generation }: EnrolledRecord) {
  return { deviceId, userId, generation }
}

function notEnrolled(bridge: string): UsageError {
  return new UsageError(
    `This machine is not enrolled at ${bridge}.`,
    'List its bridges: bridgekeeper device list',
  )
}
