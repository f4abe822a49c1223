import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { findFamily, MARK, signalFamily } from '../../src/servers/family.ts'
import { isAlive, until } from '../support/until.ts'

const NONE = new Set<never>()

/** Starts a shell in its own group. It prints the ids of what it starts, and waits. */
async function shell(script: string, env: Record<string, string> = {}) {
  const child = spawn('sh', ['-c', script], { detached: true, env: { PATH: process.env.PATH ?? '', ...env } })
  const pid = child.pid ?? expect.fail()
  const started: number[] = [pid]
  onTestFinished(() => {
    for (const each of started) if (isAlive(each)) process.kill(each, 'SIGKILL')
  })
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  await until(() => text.endsWith('.\n'))
  started.push(...(text.match(/\d+/g) ?? []).map(Number))
  return { child, pid, others: started.slice(1) }
}

const startTime = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'latin1').split(' ')[21]

test.runIf(process.platform === 'linux')(
  '[PROC.9] finds processes by group, by mark and by descent, and no others',
  async () => {
    // The second leaves the group and loses the mark. The third loses its parent, but not the group of the second.
    const stray = `env -u ${MARK} setsid sh -c 'echo $$; (sleep 60 & echo $!.); exec sleep 60'`
    const [one, other] = await Promise.all([
      shell(`sleep 60 & echo $!; ${stray} & wait`, { [MARK]: 'one' }),
      shell('echo .; sleep 60'),
    ])
    expect(one.others).toHaveLength(3)
    const all = [one.pid, ...one.others].toSorted((a, b) => a - b)
    const found = (roots: Partial<Parameters<typeof findFamily>[0]>) => {
      const pids = [...findFamily({ groups: NONE, marks: NONE, ...roots }).keys()]
      return pids.filter((pid) => [...all, other.pid].includes(pid)).toSorted((a, b) => a - b)
    }
    expect(found({})).toEqual([])
    expect(found({ groups: new Set([one.pid]) })).toEqual(all)
    expect(found({ marks: new Set(['one']) })).toEqual(all)
    expect(found({ marks: new Set(['on', '']) })).toEqual([])
    const [, leader = 0, orphan = 0] = one.others
    const time = startTime(leader) ?? expect.fail()
    expect(found({ known: new Map([[leader, time]]) })).toEqual([leader, orphan].toSorted((a, b) => a - b))
    // Another process with the same id.
    expect(found({ known: new Map([[leader, `${time}0`]]) })).toEqual([])
    expect(findFamily({ groups: NONE, marks: new Set(['one']) }).get(leader)).toBe(time)
  },
)

test.runIf(process.platform === 'linux')('[PROC.9] finds no process that has ended', async () => {
  const { pid } = await shell('echo .; exec sleep 60')
  const groups = new Set([pid])
  expect([...findFamily({ groups, marks: NONE }).keys()]).toEqual([pid])
  process.kill(pid, 'SIGKILL')
  // Until the end of this tick, nobody has asked for its exit code.
  while (!readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z '));
  expect(findFamily({ groups, marks: NONE }).size).toBe(0)
})

test.runIf(process.platform === 'linux')(
  '[PROC.10] signals each process, except those that have ended, and never the agent',
  async () => {
    const { child, pid } = await shell('echo .; exec sleep 60')
    const known = new Map([[process.pid, startTime(process.pid) ?? '']])
    expect(findFamily({ groups: NONE, marks: NONE, known }).size).toBe(0)
    const gone = 4_999_999
    signalFamily(new Map([gone, pid].map((each) => [each, '0'])), 'SIGTERM')
    await until(() => child.signalCode !== null)
    expect(child.signalCode).toBe('SIGTERM')
  },
)
