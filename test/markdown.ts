/** A table as prettier writes it; its first row is the head. */
export function markdownTable(cells: readonly (readonly string[])[]): string {
  const [head = [], ...others] = cells
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`
  return [head, widths.map((width) => '-'.repeat(width)), ...others].map(line).join('')
}
