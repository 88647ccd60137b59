package transcript

import (
	"hash/crc32"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gdamore/tcell/v2"

	"earshot/ui/cell"
	"earshot/ui/look"
)

// attr is what a byte of a text is part of; several may hold.
type attr uint8

const (
	mention attr = 1 << iota // names the user
	link
	code
	bold
	italic
	name // the author's, in front of what they do
	sign // a mark that makes what stands between it bold and so on: shown, but dim, so that what one copies is what was said
)

// markup returns what each byte of a text is part of: ``` fences, `code`, *bold*, _italic_ and links. Nothing in it is hidden or replaced.
// The time it takes grows as the text does.
func markup(text string) []attr {
	attrs := make([]attr, len(text))
	fenced := false
	for start := 0; start < len(text); {
		end := start + len(text[start:])
		if i := strings.IndexByte(text[start:], '\n'); i >= 0 {
			end = start + i
		}
		switch line := text[start:end]; {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
			mark(attrs[start:end], sign)
		case fenced:
			mark(attrs[start:end], code)
		default:
			markLine(line, attrs[start:end])
		}
		start = end + 1
	}
	return attrs
}

func mark(attrs []attr, a attr) {
	for i := range attrs {
		attrs[i] |= a
	}
}

func markLine(line string, attrs []attr) {
	between(line, attrs, '`', code)
	for _, c := range links(line) {
		if attrs[c.start]&code == 0 {
			mark(attrs[c.start:c.end], link)
		}
	}
	between(line, attrs, '*', bold)
	between(line, attrs, '_', italic)
}

// between marks what stands between two signs: the first after, the second before what is no letter, with no space inside of them.
func between(line string, attrs []attr, sgn byte, a attr) {
	taken := func(i int) bool { return attrs[i]&(code|link|sign) != 0 }
	for i := 0; i+2 < len(line); i++ {
		if line[i] != sgn || taken(i) || line[i+1] == sgn || sgn != '`' && (wordBefore(line[:i]) || line[i+1] == ' ') {
			continue
		}
		end := i + 2
		for ; end < len(line); end++ {
			if line[end] == sgn && !taken(end) && (sgn == '`' || line[end-1] != ' ' && !wordAfter(line[end+1:])) {
				break
			}
		}
		if end == len(line) {
			return // none for any that follows either
		}
		attrs[i] |= sign
		attrs[end] |= sign
		mark(attrs[i+1:end], a)
		i = end
	}
}

// links finds the addresses of web pages in a text: from http:// or https:// on, as far as it can be read as one, without the punctuation of the
// sentence around it.
func links(text string) []cut {
	var found []cut
	for at := 0; ; {
		i := strings.Index(text[at:], "://")
		if i < 0 {
			return found
		}
		colon := at + i
		at = colon + len("://")
		start := -1
		for _, scheme := range []string{"https", "http"} {
			if s := colon - len(scheme); s >= 0 && strings.EqualFold(text[s:colon], scheme) && !wordBefore(text[:s]) {
				start = s
			}
		}
		if start < 0 {
			continue
		}
		end := at
		for end < len(text) && text[end] != '`' && text[end] != '<' && text[end] != '>' && text[end] != '"' {
			r, n := utf8.DecodeRuneInString(text[end:])
			if unicode.IsSpace(r) {
				break
			}
			end += n
		}
		if end = start + len(sentence(text[start:end])); end > at {
			found = append(found, cut{start, end})
			at = end
		}
	}
}

// sentence cuts from an address what ends the sentence it stands in; a bracket only where it was not opened in the address.
func sentence(address string) string {
	brackets := map[rune]int{} // how many more are closed than opened
	for closing, opening := range map[string]string{")": "(", "]": "[", "}": "{"} {
		brackets[rune(closing[0])] = strings.Count(address, closing) - strings.Count(address, opening)
	}
	for address != "" {
		r, n := utf8.DecodeLastRuneInString(address)
		more, bracket := brackets[r]
		if bracket && more <= 0 || !bracket && !strings.ContainsRune(".,;:!?'*_、。，！？）」", r) {
			break
		}
		if bracket {
			brackets[r]--
		}
		address = address[:len(address)-n]
	}
	return address
}

// markedText is an entry's text with what its bytes are part of; nil: nothing.
type markedText struct {
	look   *look.Look
	text   string
	attrs  []attr
	links  []cut
	author tcell.Style
}

func (l *List) marked(e *entry, text string) markedText {
	m := markedText{look: l.look, text: text}
	if e.kind != said && e.kind != action {
		return m
	}
	m.attrs, m.links, m.author = markup(text), links(text), l.look.Author(e.author)
	for _, c := range e.me {
		mark(m.attrs[c.start:c.end], mention)
	}
	if e.kind == action {
		for i := range len(e.nick) {
			m.attrs[i] = name
		}
	}
	return m
}

// pieces cuts a line where its looks change.
func (m *markedText) pieces(r cell.Range, plain tcell.Style) []piece {
	if m.attrs == nil {
		return []piece{{m.text[r.Start:r.End], plain}}
	}
	var pieces []piece
	for at := r.Start; at < r.End; {
		a, end, target := m.attrs[at], r.End, ""
		for _, c := range m.links {
			if a&link != 0 && c.start <= at && at < c.end {
				target, end = m.text[c.start:c.end], min(end, c.end)
			}
		}
		for i := at; i < end; i++ {
			if m.attrs[i] != a {
				end = i
			}
		}
		pieces = append(pieces, piece{m.text[at:end], m.style(a, plain, target)})
		at = end
	}
	return pieces
}

// style returns what text with those attributes looks like. target is the link it is part of.
func (m *markedText) style(a attr, plain tcell.Style, target string) tcell.Style {
	switch {
	case a&mention != 0:
		return m.look.Mention
	case a&name != 0:
		return m.author
	case a&sign != 0:
		return m.look.Dim
	case a&code != 0:
		return m.look.Code
	}
	if a&link != 0 {
		plain = m.look.Link
		if hyperlink(target) {
			plain = plain.Url(target).UrlId(strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(target))), 16)) // the id joins its lines
		}
	}
	if a&bold != 0 {
		plain = plain.Bold(true)
	}
	if a&italic != 0 {
		plain = plain.Italic(true)
	}
	return plain
}

// hyperlink reports whether a terminal may be told the target: what cannot be seen as it is, letters that look like others for one, it is not.
func hyperlink(target string) bool {
	return strings.IndexFunc(target, func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0
}
