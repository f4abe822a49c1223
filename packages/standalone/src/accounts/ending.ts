import type { Device } from '@bridgekeeper/bridge'
import { AGENT_CLIENT_ID, cleanText, keyWords } from '@bridgekeeper/protocol'
import { groupOf, SESSION_GROUPS, type SessionGroup } from '../operations/sessions.ts'
import type { Form } from '../web/form-body.ts'
import { type Html, html } from '../web/html.ts'
import type { Pages } from './parts.ts'

/** Name of the checkbox of each group. */
const CHECKBOXES = { logins: 'endOthers', apps: 'endApps', machines: 'endMachines' } as const

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

/** Returns the groups that are ticked in a form with `endingFields`. */
export function tickedGroups(form: Form): readonly SessionGroup[] {
  return SESSION_GROUPS.filter((group) => form.get(CHECKBOXES[group]) === 'yes')
}

function machineName({ name, keys: [current] }: Device): string {
  const words = current && keyWords(current.keyId)
  return words === undefined ? cleanText(name) : `${cleanText(name)} (${words})`
}

/**
 * With an empty list the checkbox is ticked but hidden, so that anything added before the form is sent ends
 * too.
 */
function listed(group: SessionGroup, text: string, names: readonly string[]): Html {
  return names.length === 0
    ? html`<input type="hidden" name="${CHECKBOXES[group]}" value="yes">`
    : checkbox(group, text, names)
}

function checkbox(group: SessionGroup, text: string, names: readonly string[]): Html {
  const rows =
    names.length > 0 && html`<br>${names.map((name) => html`<span class="small">${name}</span><br>`)}`
  return html`<label class="check"><input type="checkbox" name="${CHECKBOXES[group]}" value="yes" checked><span>${text}${rows}</span></label>`
}
