/** Bar charts as SVG, plain enough to be read in any browser. */

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** A mark on the bar's line, such as a floor or a limit. */
  readonly mark?: number;
}

const BARS_WIDTH = 500;
/** Wider than most letters of this font. */
const LETTER_WIDTH = 7;
const ROW = 26;

export function barChart(title: string, unit: string, bars: readonly Bar[]): string {
  const most = Math.max(...bars.flatMap(({ value, mark }) => [value, mark ?? 0]), Number.MIN_VALUE);
  const left = 10 + LETTER_WIDTH * Math.max(...bars.map(({ label }) => label.length));
  const width = left + BARS_WIDTH;
  const x = (value: number) => left + (value / most) * (BARS_WIDTH - 90);
  const rows = bars.map(({ label, value, mark }, row) => {
    const y = 40 + row * ROW;
    const line =
      mark === undefined
        ? ""
        : `<line x1="${x(mark)}" x2="${x(mark)}" y1="${y - 2}" y2="${y + 18}" stroke="#c00" stroke-width="2"/>`;
    return `<text x="${left - 8}" y="${y + 13}" text-anchor="end">${escaped(label)}</text>
<rect x="${left}" y="${y}" width="${x(value) - left}" height="16" fill="#4878a8"/>${line}
<text x="${x(value) + 6}" y="${y + 13}">${value.toPrecision(3)} ${escaped(unit)}</text>`;
  });
  const height = 50 + bars.length * ROW;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
<text x="10" y="22" font-size="15" font-weight="bold">${escaped(title)}</text>
${rows.join("\n")}
</svg>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
