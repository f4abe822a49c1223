/** Lays out tables for a terminal. */

const GAP = 2
/** A column is not cut below this while another can be cut. */
const MIN_COLUMN = 8
const ELLIPSIS = '…'
const graphemes = new Intl.Segmenter('en')
/** Characters that terminals draw two cells wide. Source: Unicode Standard Annex 11, its wide scripts and emoji. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60]/u

/**
 * Rows with their columns aligned.
 * @param width cells of a line; longer cells are cut with an ellipsis. Without it nothing is cut.
 */
export function tableLines(rows: readonly (readonly string[])[], width?: number): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  const wanted = Array.from({ length: columns }, (_, i) =>
    Math.max(...rows.map((row) => cellsOf(row[i] ?? ''))),
  )
  const widths = width === undefined ? wanted : fitted(wanted, width)
  return rows.map((row) =>
    row
      .map((cell, i) => padded(cut(cell, widths[i] ?? 0), widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** Takes cells from the widest columns until the line fits. */
function fitted(wanted: readonly number[], width: number): number[] {
  const widths = [...wanted]
  const available = Math.max(width - GAP * (widths.length - 1), widths.length)
  let excess = widths.reduce((sum, each) => sum + each, 0) - available
  for (const least of [MIN_COLUMN, 1]) {
    while (excess > 0) {
      const widest = widths.indexOf(Math.max(...widths))
      if ((widths[widest] ?? 0) <= least) break
      widths[widest] = (widths[widest] ?? 0) - 1
      excess--
    }
  }
  return widths
}

/** The start of a text, with an ellipsis if it is longer than `width` cells. */
function cut(text: string, width: number): string {
  if (cellsOf(text) <= width) return text
  let kept = ''
  let cells = 0
  for (const { segment } of graphemes.segment(text)) {
    cells += cellsOf(segment)
    if (cells > width - 1) break
    kept += segment
  }
  return kept + ELLIPSIS
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - cellsOf(text)))
}

/** Counts the cells of a terminal that a text fills. */
function cellsOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let cells = 0
  for (const { segment } of graphemes.segment(text)) cells += WIDE.test(segment) ? 2 : 1
  return cells
}
