import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { missingDebianCommand } from '../../scripts/debian.ts'
import { atEnd } from './at-end.ts'
import { showOnFailure } from './last-seen.ts'

/** Arguments that keep Chromium from background requests; as root it has no sandbox. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export interface PageOptions {
  readonly phone?: boolean
  /** Whether pages may run scripts; by default they may. */
  readonly scripts?: boolean
}

let running: Promise<Browser> | undefined

/** A page of a real Chromium with a fresh cookie store, closed when the test ends. */
export async function openPage(options: PageOptions = {}): Promise<Page> {
  const context = await openContext(options)
  const page = await context.newPage()
  showOnFailure('the page', async () => `${page.url()}\n${await page.locator('body').allInnerTexts()}`)
  return page
}

async function openContext({ phone = false, scripts = true }: PageOptions): Promise<BrowserContext> {
  running ??= launch()
  const browser = await running
  const context = await browser.newContext({
    javaScriptEnabled: scripts,
    viewport: phone ? { width: 390, height: 844 } : { width: 1_280, height: 800 },
  })
  atEnd(async () => {
    await context.close()
    if (browser.contexts().length > 0) return
    running = undefined
    await browser.close()
  })
  return context
}

async function launch(): Promise<Browser> {
  const missing = missingDebianCommand('chromium', 'chromium')
  if (missing !== undefined) throw new Error(missing)
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: ARGUMENTS })
}
