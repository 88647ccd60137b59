package cell

import "strings"

// A Range is a stretch of a text, in bytes.
type Range struct{ Start, End int }

// Wrap breaks clean text into lines of at most width cells, and returns where they stand in it. It breaks at line ends, after spaces, hyphens and
// slashes, and beside wide clusters; a word that is longer than a line is cut between clusters. Spaces at the end of a line are left out.
// A cluster wider than the width stands alone.
//
// uniseg's own line breaks are not used: version 0.4.7 demands one after an emoji with a skin tone.
func Wrap(text string, width int) []Range {
	width = max(width, 1)
	var lines []Range
	start := 0
	for {
		end := strings.IndexByte(text[start:], '\n')
		if end < 0 {
			return wrapParagraph(lines, text, start, len(text), width)
		}
		lines = wrapParagraph(lines, text, start, start+end, width)
		start += end + 1
	}
}

// noStart are the wide marks that do not begin a line (JIS X 4051, the common ones).
const noStart = "、。，．・：；？！」』）】〉》〕］｝ー～…"

func wrapParagraph(lines []Range, text string, start, end, width int) []Range {
	add := func(from, to int) {
		for to > from && text[to-1] == ' ' {
			to--
		}
		lines = append(lines, Range{from, to})
	}
	from, pos, used := start, start, 0
	cut, atCut := -1, 0 // the last place where a line may end, and the cells used up to it
	for rest := text[start:end]; rest != ""; {
		cluster, after, w := Next(rest)
		wide := w == 2
		if wide && pos > from && !strings.Contains(noStart, cluster) {
			cut, atCut = pos, used
		}
		for used+w > width && pos > from && cluster != " " {
			if cut <= from {
				cut, atCut = pos, used
			}
			add(from, cut)
			from, used, cut = cut, used-atCut, -1
		}
		pos += len(rest) - len(after)
		used += w
		rest = after
		if cluster == " " || cluster == "-" || cluster == "/" || wide && !startsWithAny(rest, noStart) {
			cut, atCut = pos, used
		}
	}
	add(from, end)
	return lines
}

func startsWithAny(s, runes string) bool {
	for _, r := range s {
		return strings.ContainsRune(runes, r)
	}
	return false
}
