import { secretExposure, trustExposure } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'

const OWN = 1_000
const FILE = 0o100_000

test.each([
  [OWN, 0o600],
  [OWN, 0o400],
  [OWN, 0o640],
  [0, 0o440],
  [0, 0o600],
])('[FILE.1] accepts a secret of user %i with mode %o', (uid, mode) => {
  expect(secretExposure('/s', { uid, mode: FILE | mode }, OWN)).toBeUndefined()
})

test.each([0o604, 0o602, 0o601, 0o620, 0o444, 0o666])('[FILE.1] refuses a secret with mode %o', (mode) => {
  expect(secretExposure('/a b', { uid: OWN, mode: FILE | mode }, OWN)).toEqual({
    problem: `its mode 0${mode.toString(8)} gives others too many rights`,
    command: 'chmod g-w,o= "/a b"',
  })
})

test('[FILE.1] refuses another user’s secret, also as root', () => {
  const refused = { problem: 'it belongs to the user with id 7', command: 'chown 1000 "/s"' }
  expect(secretExposure('/s', { uid: 7, mode: 0o600 }, OWN)).toEqual(refused)
  expect(secretExposure('/s', { uid: 7, mode: 0o600 }, 0)).toMatchObject({ command: 'chown 0 "/s"' })
})

test.each([0o600, 0o644, 0o664, 0o775])('[FILE.2] accepts a config file with mode %o', (mode) => {
  expect(trustExposure('/c', { uid: OWN, mode }, OWN)).toBeUndefined()
  expect(trustExposure('/c', { uid: 0, mode }, OWN)).toBeUndefined()
})

test.each([0o602, 0o666, 0o777, 0o1777])('[FILE.2] refuses a config file with mode %o', (mode) => {
  expect(trustExposure('/c', { uid: OWN, mode }, OWN)).toMatchObject({ command: 'chmod o-w "/c"' })
})

test('[FILE.2] refuses another user’s config file', () => {
  expect(trustExposure('/c', { uid: 7, mode: 0o600 }, OWN)).toMatchObject({ command: 'chown 1000 "/c"' })
})

test('[FILE.3] refuses nothing on Windows, which has no such rights', () => {
  expect(secretExposure('C:\\s', { uid: 0, mode: 0o666 }, undefined)).toBeUndefined()
  expect(trustExposure('C:\\s', { uid: 0, mode: 0o666 }, undefined)).toBeUndefined()
})
