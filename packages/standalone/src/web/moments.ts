import { type Html, html } from './html.ts'

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const

/** A relative time such as `3 hours ago`, with the exact time as a tooltip. */
export function moment(atMs: number, nowMs: number): Html {
  const iso = new Date(atMs).toISOString()
  return html`<time datetime="${iso}" title="${iso.slice(0, 16).replace('T', ' ')} UTC">${ago(nowMs - atMs)}</time>`
}

function ago(ageMs: number): string {
  for (const [unit, unitMs] of UNITS) {
    const count = Math.floor(ageMs / unitMs)
    if (count >= 1) return `${count} ${unit}${count === 1 ? '' : 's'} ago`
  }
  return 'just now'
}
