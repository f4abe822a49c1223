import type { Device } from '@bridgekeeper/bridge'
import { AGENT_CLIENT_ID, type Session } from '@bridgekeeper/bridge/parts'
import { cleanText, keyWords } from '@bridgekeeper/protocol'
import type { Form } from '../web/form-body.ts'
import { type Html, html } from '../web/html.ts'
import type { Visit } from '../web/visit.ts'
import type { Pages } from './parts.ts'

/** What a user may end together, with the name of its checkbox. */
const CHECKBOXES = { logins: 'endOthers', apps: 'endApps', machines: 'endMachines' } as const
export type Group = keyof typeof CHECKBOXES

/** Checkboxes for what ends with a change of password or factor: everything, unless the user unticks it. */
export async function endingFields({ sessions, devices }: Pages, userId: string): Promise<Html> {
  const open = await sessions.ofUser(userId)
  const apps = open.filter((session) => groupOf(session) === 'apps').map(({ label }) => cleanText(label))
  const enrolling = open.filter(({ kind, clientId }) => kind === 'client' && clientId === AGENT_CLIENT_ID)
  const machines = [
    ...(await devices.ofUser(userId)).map(machineName),
    ...enrolling.map(({ label }) => cleanText(label)),
  ]
  return html`${checkbox('logins', 'Also log out everywhere else.', [])}
${listed('apps', 'Also disconnect these apps:', apps)}
${listed('machines', 'Also revoke these machines, which then have to be enrolled again:', machines)}`
}

/** The groups that are ticked in a form with `endingFields`. */
export function tickedGroups(form: Form): readonly Group[] {
  const groups = Object.keys(CHECKBOXES) as Group[]
  return groups.filter((group) => form.get(CHECKBOXES[group]) === 'yes')
}

/** Ends everything of the user's in these groups, except one session. */
export async function endGroups(
  pages: Pages,
  visit: Visit,
  { userId, keptId }: { readonly userId: string; readonly keptId: string },
  groups: readonly Group[],
): Promise<void> {
  const { sessions, devices } = pages
  if (groups.includes('machines'))
    for (const device of await devices.ofUser(userId)) await revokeDevice(pages, device, visit)
  for (const session of await sessions.ofUser(userId)) {
    const isTicked = session.sessionId !== keptId && groups.includes(groupOf(session))
    if (isTicked) await sessions.end(session, 'ended_by_user', visit.address.ip)
  }
}

/** Revokes a machine: its key is never enrolled again, and everything it has open ends. */
export async function revokeDevice(pages: Pages, device: Device, { address: { ip } }: Visit): Promise<void> {
  const { devices, sessions, revoke, log, system } = pages
  const { deviceId, userId, sessionId } = device
  const wasThere = await devices.revoke(deviceId, system.nowMs())
  if (wasThere) log.logSecurityEvent({ event: 'device_revoked', userId, ip, deviceId })
  await revoke({ kind: 'device', id: deviceId })
  const session = await sessions.find(sessionId)
  if (session !== undefined) await sessions.end(session, 'ended_by_user', ip)
}

/** An approval that a machine has not used yet counts as that machine. */
function groupOf({ kind, clientId }: Session): Group {
  if (kind === 'browser' || kind === 'token') return 'logins'
  return kind === 'client' && clientId !== AGENT_CLIENT_ID ? 'apps' : 'machines'
}

function machineName({ name, keys: [current] }: Device): string {
  const words = current && keyWords(current.keyId)
  return words === undefined ? cleanText(name) : `${cleanText(name)} (${words})`
}

/** Where nothing is listed the group is ticked unseen: what somebody adds until the form is sent ends as well. */
function listed(group: Group, text: string, names: readonly string[]): Html {
  return names.length === 0
    ? html`<input type="hidden" name="${CHECKBOXES[group]}" value="yes">`
    : checkbox(group, text, names)
}

function checkbox(group: Group, text: string, names: readonly string[]): Html {
  const rows =
    names.length > 0 && html`<br>${names.map((name) => html`<span class="small">${name}</span><br>`)}`
  return html`<label class="check"><input type="checkbox" name="${CHECKBOXES[group]}" value="yes" checked><span>${text}${rows}</span></label>`
}
