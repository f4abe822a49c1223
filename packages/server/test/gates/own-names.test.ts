import { expect, test } from 'vitest'
import { ownNames } from '../../src/gates/own-names.ts'

test('[ORIGIN.5] a bridge at the machine itself is known by each name of the machine, its own first', () => {
  expect(ownNames(['http://127.0.0.1:8787'])).toEqual([
    'http://127.0.0.1:8787',
    'http://localhost:8787',
    'http://[::1]:8787',
  ])
  expect(ownNames(['https://localhost/under'])).toEqual([
    'https://localhost/under',
    'https://127.0.0.1/under',
    'https://[::1]/under',
  ])
})

test('[ORIGIN.5] any other bridge is known by its public URLs alone', () => {
  const urls = ['https://bridge.example', 'http://host.docker.internal:8787', 'http://127.0.0.2:8787']
  expect(ownNames(urls)).toEqual(urls)
  expect(ownNames(['https://bridge.example', 'http://localhost:1'])).toEqual([
    'https://bridge.example',
    'http://localhost:1',
    'http://127.0.0.1:1',
    'http://[::1]:1',
  ])
  expect(ownNames([])).toEqual([])
  expect(() => ownNames(['nonsense'])).toThrow(TypeError)
})
