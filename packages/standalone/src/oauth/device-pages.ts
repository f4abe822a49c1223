import type { IncomingMessage } from 'node:http'
import type { SecurityLog } from '@bridgekeeper/bridge'
import type { ClientAddress } from '@bridgekeeper/bridge/parts'
import { cleanText, keyWords } from '@bridgekeeper/protocol'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { accountOf, type LoggedIn } from '../browser/browser-sessions.ts'
import { html } from '../web/html.ts'
import { button, field, form, type Notice, type PageOptions, page } from '../web/layout.ts'
import { pageHeaders } from '../web/respond.ts'
import type { Site } from '../web/site.ts'
import { type ApprovalParts, putApproval } from './device-approval.ts'
import type { OAuthLimits } from './limits.ts'
import { codeDigits, codeWords, MAX_CODE_CHARS } from './user-code.ts'

/** The visitor of the `/device` pages. */
export interface DeviceVisit {
  readonly loggedIn: LoggedIn
  readonly address: ClientAddress
  /** A code that came with the link, for the form to show: it is sent by the user, not by the link. */
  readonly userCode: string | undefined
}

/** Texts for the library's error names. */
const NOTICES: Readonly<Record<string, string>> = {
  NotFoundError: 'That code does not exist. Compare it with the one that your machine shows.',
  ExpiredError: 'That code has expired. Start again on your machine.',
  AlreadyUsedError: 'That code was used already. Start again on your machine.',
  AbortedError: 'Refused. That machine gets no access.',
  NoCodeError: 'Enter the code that your machine shows.',
}

/**
 * [OAUTH.13] The pages on which a user approves a machine: the code, the machine's name, and the words of its key,
 * labelled as on the machine. Source: RFC 8628 sections 3.3, 5.3 and 5.4 (remote phishing).
 */
export class DevicePages {
  readonly #site: Site
  readonly #approval: ApprovalParts
  readonly #limits: OAuthLimits
  readonly #log: Pick<SecurityLog, 'logSecurityEvent'>
  readonly #visits = new WeakMap<IncomingMessage, DeviceVisit>()
  readonly #wrong = new WeakSet<DeviceVisit>()

  constructor(approval: ApprovalParts, limits: OAuthLimits, log: Pick<SecurityLog, 'logSecurityEvent'>) {
    this.#site = approval.site
    this.#approval = approval
    this.#limits = limits
    this.#log = log
  }

  /** Call before the library handles the request. */
  enter(request: IncomingMessage, visit: DeviceVisit): void {
    this.#visits.set(request, visit)
  }

  /** The library handles a rewritten copy of the request. */
  rewritten(request: IncomingMessage, copy: IncomingMessage): void {
    const visit = this.#visits.get(request)
    if (visit !== undefined) this.#visits.set(copy, visit)
  }

  /** Asks for the code, also after a wrong one. */
  input(ctx: KoaContextWithOIDC, error: Error | undefined): void {
    const visit = this.#visitOf(ctx)
    if (error?.name === 'NotFoundError') this.#wrongCode(visit)
    const text = error && (NOTICES[error.name] ?? 'That did not work. Start again on your machine.')
    const code = field({
      name: 'user_code',
      label: 'Code',
      autocomplete: 'off',
      maxLength: MAX_CODE_CHARS,
      value: visit.userCode,
      hint: 'Your machine shows it, such as cosmos-vertebrae-abrasive. The whole link will do, too.',
      focus: true,
    })
    const fields = [code, button('Continue')]
    const main = html`<div class="card"><p>A machine of yours asks for access. Enter the code that it shows.</p>${this.#form(ctx, visit, {}, fields)}</div>`
    this.#show(ctx, visit, { title: 'Connect a machine', main, notice: text && { kind: 'bad', text } })
  }

  /** Shows the machine to approve or refuse. */
  confirm(ctx: KoaContextWithOIDC, digits: string): void {
    const userCode = codeWords(digits)
    const visit = this.#visitOf(ctx)
    const { device_name: name, device_key: keyId } = ctx.oidc.deviceCode?.params ?? {}
    const words = typeof keyId === 'string' ? keyWords(keyId) : undefined
    const hidden = { user_code: userCode }
    const approve = this.#form(ctx, visit, { ...hidden, confirm: 'yes' }, button('Approve'))
    const refuse = this.#form(ctx, visit, { ...hidden, abort: 'yes' }, button('Refuse', 'bad'))
    const main = html`<div class="card">
<dl><dt>Code</dt><dd class="mono">${userCode}</dd><dt>Machine</dt><dd>${cleanText(String(name))}</dd></dl>
<p>Words of its key<span class="mono big" id="key-words">${words}</span></p>
<p>Approve only if the machine in front of you shows exactly this code and these words. Your account can then run the MCP servers of that machine.</p>
<div class="acts">${approve}${refuse}</div></div>`
    this.#show(ctx, visit, { title: 'Is this your machine?', main })
  }

  /** The user pressed the button; the library continues with its next step. */
  approving(ctx: KoaContextWithOIDC): void {
    const code = ctx.oidc?.deviceCode
    if (code?.inFlight !== true) return
    putApproval(ctx.res, this.#approval, this.#visitOf(ctx).loggedIn, code.jti)
  }

  /** The library has answered a form. It was counted as a wrong code beforehand. */
  answered(ctx: KoaContextWithOIDC): void {
    const visit = this.#visitOf(ctx)
    if (!this.#wrong.has(visit))
      this.#limits.codeWasRight(codeKeys(visit.loggedIn.user.userId, visit.address))
  }

  done(ctx: KoaContextWithOIDC): void {
    const visit = this.#visitOf(ctx)
    this.#log.logSecurityEvent({
      event: 'device_approved',
      userId: visit.loggedIn.user.userId,
      ip: visit.address.ip,
    })
    const main = html`<div class="card"><p>Your machine continues automatically. You may close this page.</p><p><a href="${this.#site.base}/account">To your account</a></p></div>`
    this.#show(ctx, visit, {
      title: 'Approved',
      main,
      notice: { kind: 'good', text: 'The machine was approved.' },
    })
  }

  #wrongCode(visit: DeviceVisit): void {
    const { loggedIn, address } = visit
    const { user } = loggedIn
    this.#wrong.add(visit)
    this.#log.logSecurityEvent({ event: 'user_code_wrong', userId: user.userId, ip: address.ip })
  }

  #form(
    ctx: KoaContextWithOIDC,
    { loggedIn }: DeviceVisit,
    hidden: Readonly<Record<string, string>>,
    fields: Parameters<typeof form>[0]['fields'],
  ) {
    const secret = ctx.oidc.session?.state?.secret
    const xsrf = typeof secret === 'string' ? secret : ''
    return form({
      site: this.#site,
      action: '/device',
      token: loggedIn.formToken,
      hidden: { ...hidden, xsrf },
      fields,
    })
  }

  #show(
    ctx: KoaContextWithOIDC,
    { loggedIn }: DeviceVisit,
    {
      title,
      main,
      notice,
    }: Pick<PageOptions, 'title' | 'main'> & { readonly notice?: Notice | undefined | '' },
  ): void {
    const body = page({
      site: this.#site,
      title,
      main,
      account: accountOf(loggedIn),
      narrow: true,
      notice: notice || undefined,
    })
    ctx.set(pageHeaders(false))
    ctx.body = body.toString()
  }

  #visitOf(ctx: KoaContextWithOIDC): DeviceVisit {
    const visit = this.#visits.get(ctx.req)
    if (visit === undefined) throw new Error('A page of /device was asked for past its front door.')
    return visit
  }
}

/** Keys under which wrong codes are counted. A proxy's address stands for many users. */
export function codeKeys(userId: string, { key, isProxy }: ClientAddress): string[] {
  return [`user ${userId}`, ...(isProxy ? [] : [`address ${key}`])]
}

/** A code as a link may bring it along; anything else is left out. */
export function codeInLink(text: string | null): string | undefined {
  const digits = text === null ? undefined : codeDigits(text)
  return digits === undefined ? undefined : codeWords(digits)
}
