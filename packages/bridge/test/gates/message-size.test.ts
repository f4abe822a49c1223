import { expect, test } from 'vitest'
import { validateMessageSize } from '../../src/gates/agent-socket.ts'

test('[SIZE.1] accepts 1,048,576 bytes, and refuses one more with message_too_large', () => {
  expect(validateMessageSize(0)).toEqual({ allowed: true, value: 0 })
  expect(validateMessageSize(1_048_576)).toEqual({ allowed: true, value: 1_048_576 })
  expect(validateMessageSize(1_048_577)).toEqual({ allowed: false, code: 'message_too_large' })
})
