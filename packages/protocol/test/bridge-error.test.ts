import { BridgeError, codes, isErrorCode } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'

test('[CODE.2] does not repeat the text of a code in a detail that begins with it, for each code', () => {
  for (const code of Object.keys(codes)) {
    if (!isErrorCode(code)) throw new Error(code)
    const { message } = codes[code]
    expect(new BridgeError(code).message).toBe(message)
    expect(new BridgeError(code, message).message).toBe(message)
    expect(new BridgeError(code, `${message} Why.`).message).toBe(`${message} Why.`)
    expect(new BridgeError(code, 'Why.').message).toBe(`${message} Why.`)
    expect(new BridgeError(code, '').message).toBe(message)
  }
})
