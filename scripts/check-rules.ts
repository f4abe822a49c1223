/**
 * Checks that SPEC.md and the tests agree: each rule is defined once, a test that runs cites it in its title,
 * and no title cites a rule that does not exist.
 *
 * Usage: node scripts/check-rules.ts [ROOT]
 */
import {
  type Finding,
  lineAt,
  readSources,
  report,
  rootArgument,
  type Source,
  withoutComments,
} from './sources.ts'

/** A place in SPEC.md or in a test that names a rule. */
interface Mention {
  readonly id: string
  readonly path: string
  readonly line: number
  readonly runs: boolean
}

const DEFINITION = /^(?:[-*] )?\*\*\[([A-Z]+\.\d+)\]\*\*/gm
// `test('…'`, `describe.skip('…'`, and the second call of `test.each(…)('…'`.
const TITLE = /(?:\b(?:test|it|describe)([.\w]*)|\))\(\s*(['"`])((?:\\.|(?!\2).)*)\2/g
const CITATION = /\[([A-Z]+\.\d+)\]/g

const root = rootArgument()
const rules = readSources(root, /^SPEC\.md$/, /^SPEC\.md$/).flatMap(definitions)
const cited = readSources(root, /^(?:packages\/[^/]+\/)?test\//, /\.m?ts$/).flatMap(citations)
const findings = [...repeated(), ...uncovered(), ...unknown()]
if (rules.length === 0) {
  findings.push({ path: 'SPEC.md', line: 1, rule: 'empty', reason: 'there is no rule to check' })
}
report(findings, `rules: ${rules.length}, each with a test`)

function definitions({ path, text }: Source): Mention[] {
  return [...text.matchAll(DEFINITION)].map(({ index, 1: id = '' }) => ({
    id,
    path,
    line: lineAt(text, index),
    runs: true,
  }))
}

function citations({ path, text }: Source): Mention[] {
  const code = withoutComments(text)
  return [...code.matchAll(TITLE)].flatMap(({ index, 0: call, 1: modifiers = '', 3: title = '' }) =>
    [...title.matchAll(CITATION)].map(({ 1: id = '' }) => ({
      id,
      path,
      line: lineAt(code, index + call.indexOf(title)),
      runs: !/\.(?:skip|todo)\b/.test(modifiers),
    })),
  )
}

function repeated(): Finding[] {
  return rules
    .filter((rule, index) => rules.findIndex(({ id }) => id === rule.id) < index)
    .map((rule) => finding(rule, 'repeated', `[${rule.id}] is defined more than once`))
}

function uncovered(): Finding[] {
  const covered = new Set(cited.filter(({ runs }) => runs).map(({ id }) => id))
  return rules
    .filter(({ id }) => !covered.has(id))
    .map((rule) => finding(rule, 'uncovered', `no test that runs cites [${rule.id}] in its title`))
}

function unknown(): Finding[] {
  const known = new Set(rules.map(({ id }) => id))
  return cited
    .filter(({ id }) => !known.has(id))
    .map((mention) => finding(mention, 'unknown', `[${mention.id}] is not defined in SPEC.md`))
}

function finding({ path, line }: Mention, rule: string, reason: string): Finding {
  return { path, line, rule, reason }
}
