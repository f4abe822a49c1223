import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { testKey } from '../../packages/bridge/test/support/device-world.ts'
import { mainProcess } from '../support/installation.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { approve, newMachine } from '../support/new-machine.ts'
import { type OAuthNode, startOAuth } from '../support/oauth.ts'
import { kill } from '../support/processes.ts'
import type { Program } from '../support/program.ts'

/** Each start of the agent takes a second or more. */
const timeout = 120_000

/** A call to the machine's server, by a token of Ann's. */
async function pidOfServer(node: OAuthNode): Promise<string> {
  const { accessToken } = await node.token('ann')
  return vi.waitFor(
    async () => {
      const { json } = await post(node, '/mcp/unruly', toolCall('pid'), bearer(accessToken))
      expect(json).toHaveProperty('result.content.0.text', expect.stringMatching(/^\d+$/))
      return json.result.content[0].text as string
    },
    { timeout: 30_000, interval: 100 },
  )
}

describe('a newcomer without a browser', () => {
  test('[MACHINE.1] approves the machine by code and words, calls a tool on it, and is not asked again', {
    timeout,
  }, async () => {
    const node = await startOAuth()
    const machine = newMachine(node)
    const first = machine.start('--json', '--device-name', 'Ann’s laptop')
    await approve(node, await machine.event(first, 'enrolment-waiting'))
    await machine.event(first, 'verified')
    expect(await pidOfServer(node)).toMatch(/^\d+$/)
    const [device] = await node.stores.devices.ofUser('user_ann')
    expect(device).toMatchObject({ name: 'Ann’s laptop', deviceId: machine.record().deviceId })

    first.signal('SIGTERM')
    expect(await first.ended).toMatchObject({ code: 0 })
    const second = machine.start('--json')
    await machine.event(second, 'verified')
    expect(second.stdout).not.toContain('enrolment-waiting')
    expect(await pidOfServer(node)).toMatch(/^\d+$/)
    for (const { stdout } of [first, second]) expect(stdout).not.toMatch(/eyJ|"d":/)
  })

  test('[ORIGIN.5] [LINK.34] [MACHINE.1] enrols at localhost, the address of MCP clients, as at 127.0.0.1', {
    timeout,
  }, async () => {
    const node = await startOAuth()
    const machine = newMachine({ ...node, url: `http://localhost:${node.port}/mcp` })
    const first = machine.start('--json')
    const waiting = await machine.event(first, 'enrolment-waiting')
    expect(waiting.verificationUri).toBe(`http://localhost:${node.port}/device`)
    await approve(node, waiting)
    await machine.event(first, 'verified')
    expect(await pidOfServer(node)).toMatch(/^\d+$/)
  })

  test('[MACHINE.2] prints where to go and what to compare', { timeout }, async () => {
    const node = await startOAuth()
    const machine = newMachine(node)
    const program = machine.start()
    const [, code = '', words = ''] = await program.printed(
      (stdout) => /Code: (\S+)\n {2}Words of its key:\n {4}(\S+)\n/.exec(stdout) ?? undefined,
    )
    expect(program.stdout).toContain(`${node.url}/device`)
    await approve(node, { userCode: code, keyWords: words })
    await program.printed((stdout) => (stdout.includes('connected to') ? true : undefined))
    expect(program.stdout).toContain('its key is in a file that only you can read')
  })

  test('[MACHINE.3] resumes after a kill at any moment, and ends up with one machine', {
    timeout: 4 * timeout,
  }, async () => {
    const node = await startOAuth()
    const machine = newMachine(node)
    const killed = async (program: Program) => {
      kill(mainProcess(program))
      program.signal('SIGKILL')
      await program.ended
    }
    // Kills it while it makes its key or requests a code, while it waits for the user, and after the
    // approval.
    const early = machine.start('--json')
    await vi.waitFor(() => expect(readdirSync(join(machine.home, 'bridges'))).not.toEqual([]), {
      timeout: 30_000,
      interval: 5,
    })
    await killed(early)
    const waiting = machine.start('--json')
    const asked = await machine.event(waiting, 'enrolment-waiting')
    await killed(waiting)
    const keyId = machine.record().keyId
    await approve(node, asked)
    const approved = machine.start('--json')
    await machine.event(approved, 'enrolled')
    await killed(approved)
    expect(machine.record()).toMatchObject({ state: 'enrolled', keyId })
    const last = machine.start('--json')
    await machine.event(last, 'verified')
    expect(last.stdout).not.toContain('enrolment-waiting')
    expect(await node.stores.devices.ofUser('user_ann')).toHaveLength(1)
  })

  test('[MACHINE.4] notifies the user of a removed machine, and enrols it again on request', {
    timeout,
  }, async () => {
    const node = await startOAuth()
    const machine = newMachine(node)
    const first = machine.start('--json')
    await approve(node, await machine.event(first, 'enrolment-waiting'))
    await machine.event(first, 'verified')
    const deviceId = String(machine.record().deviceId)
    await node.stores.devices.revoke(deviceId, Date.now())
    await node.revoke({ kind: 'device', id: deviceId })
    const { code, stdout } = await first.ended
    const failure = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
    expect({ code, failure }).toMatchObject({ code: 1, failure: { error: { code: 'login_revoked' } } })
    expect(failure.error.next).toContain('--enrol-again')

    const removed = await machine.start('--json').ended
    expect(removed.code).toBe(1)
    expect(removed.stdout).toContain('"code":"device_unknown"')
    const again = machine.start('--json', '--enrol-again')
    await approve(node, await machine.event(again, 'enrolment-waiting'))
    await machine.event(again, 'verified')
    expect(machine.record().deviceId).not.toBe(deviceId)
  })

  test('[MACHINE.5] runs nothing for a bridge that does not prove the pinned key', {
    timeout,
  }, async () => {
    const node = await startOAuth()
    const machine = newMachine(node)
    const first = machine.start('--json')
    await approve(node, await machine.event(first, 'enrolment-waiting'))
    await machine.event(first, 'verified')
    first.signal('SIGTERM')
    await first.ended
    const other = testKey()
    const path = machine.path()
    const record = JSON.parse(readFileSync(path, 'utf8')) as object
    writeFileSync(path, JSON.stringify({ ...record, bridgeKey: other.jwk, bridgeKeyId: other.keyId }))
    const { code, stdout } = await machine.start('--json').ended
    expect(code).toBe(1)
    expect(stdout).toContain('"code":"bridge_not_recognised"')
    expect(stdout).not.toContain('"type":"verified"')
  })

  test('[MACHINE.6] reports a copied key file on both machines, and connects neither', {
    timeout: 2 * timeout,
  }, async () => {
    const node = await startOAuth()
    const machine = newMachine(node)
    const first = machine.start('--json')
    await approve(node, await machine.event(first, 'enrolment-waiting'))
    await machine.event(first, 'verified')
    const thief = newMachine(node)
    cpSync(machine.home, thief.home, { recursive: true })
    const stolen = thief.start('--json')
    await thief.event(stolen, 'verified')
    // A device has one connection: the first agent's was replaced.
    expect((await first.ended).stdout).toContain('"code":"connection_replaced"')
    const back = await machine.start('--json').ended
    expect(back.stdout).toContain('"code":"device_key_copied"')
    expect((await stolen.ended).stdout).toMatch(/"code":"(?:login_revoked|device_key_copied)"/)
    expect(await node.stores.devices.ofUser('user_ann')).toEqual([])
    for (const { start } of [machine, thief])
      expect((await start('--json').ended).stdout).toContain('"code":"device_unknown"')
  })
})
