import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { post, toolCall } from '../support/mcp.ts'
import { tryUpgrade } from '../support/raw.ts'
import { Recorded } from '../support/recorded.ts'

test('[AUTH.2] W12: refuses requests in which two parsers could pick different tokens', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'] })
  const [{ accessToken: ann }, { accessToken: bob }] = [await at.token('ann'), await at.token('bob')]
  const pairs = [
    [`Cookie: accessToken=${ann}; accessToken=${bob}`],
    [`Cookie: accessToken=${ann};accessToken=${ann}`],
    [`Cookie: accessToken=${ann}`, `Cookie: accessToken=${bob}`],
    [`Authorization: Bearer ${ann}`, `Authorization: Bearer ${bob}`],
    [`Authorization: Bearer ${ann}`, `Cookie: accessToken=${bob}`],
    [`Authorization: Bearer ${ann}`, 'Cookie: accessToken='],
    [`authorization: Bearer ${ann}`, `AUTHORIZATION: Bearer ${ann}`],
  ]
  for (const [index, headers] of pairs.entries()) {
    const from = `X-Forwarded-For: 10.0.0.${index}`
    expect(await tryUpgrade(at, { headers: [...headers, from] }), headers.join()).toMatchObject({
      status: 400,
      code: 'token_ambiguous',
    })
  }
})

test('[AUTH.3] W12: ignores tokens in other headers and cookies', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'] })
  const { accessToken } = await at.token('ann')
  const misses = [
    `Cookie: token=${accessToken}`,
    `Cookie: AccessToken=${accessToken}`,
    `Cookie: accessToken="${accessToken}"`,
    `Cookie: xaccessToken=${accessToken}`,
    `Cookie: accessToken =${accessToken}`,
    `Cookie: accessToken=${accessToken}=tail`,
    `Authorization: ${accessToken}`,
    `Authorization: Basic ${Buffer.from(`ann:${accessToken}`).toString('base64')}`,
    `Authorization: Bearer ${accessToken}, Bearer ${accessToken}`,
    `Authorization: Token ${accessToken}`,
    `Proxy-Authorization: Bearer ${accessToken}`,
    `X-Access-Token: ${accessToken}`,
    `Sec-WebSocket-Protocol: bearer.${accessToken}`,
  ]
  for (const [index, header] of misses.entries()) {
    const answer = await tryUpgrade(at, { headers: [header, `X-Forwarded-For: 10.0.1.${index}`] })
    expect(answer.status, header).toBe(401)
    expect(answer.body).not.toContain(accessToken)
  }
})

test('[AUTH.1] W17: refuses a token in the URL at every door, even beside a valid one, and never logs it', async () => {
  const log = new Recorded()
  const at = await startBridge({ trustedProxies: ['127.0.0.1'], securityLog: log.securityLog })
  const { accessToken } = await at.token('ann')
  const names = [
    'token',
    'access_token',
    'accessToken',
    'ACCESS_TOKEN',
    'jwt',
    'auth',
    'authorization',
    'bearer',
  ]
  let source = 0
  for (const name of names) {
    for (const token of [undefined, accessToken]) {
      const from = `10.0.2.${source++}`
      const query = `?a=1&${name}=${accessToken}`
      const headers = [`X-Forwarded-For: ${from}`]
      const agent = await tryUpgrade(at, { path: `/api/mcp-ws${query}`, token, headers })
      expect(agent, name).toMatchObject({ status: 400, code: 'token_in_url' })
      const caller = await post(at, `/mcp${query}`, toolCall('s__t'), {
        'x-forwarded-for': from,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      })
      expect(caller.status, name).toBe(400)
      expect(agent.body + caller.text).not.toContain(accessToken)
    }
  }
  expect(JSON.stringify(log.events)).not.toContain(accessToken.slice(0, 20))
  expect(log.events).toHaveLength(source * 2)
})
