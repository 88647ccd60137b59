package ui

import (
	"cmp"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/gdamore/tcell/v2"
	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// typed is an encoding for a terminal as far as what is drawn goes; what is typed is taken for UTF-8 whatever the locale says, for in one that was never set (LANG=C) most terminals send that. A byte
// that is none is taken for a character of ISO 8859-1: tcell's own decoders wait for ever for the end of it, and hear no key any more, or make three characters of it.
type typed struct{ encoding.Encoding }

func (typed) NewDecoder() *encoding.Decoder { return &encoding.Decoder{Transformer: decoder{}} }

// registerTyped has tcell use it: for ASCII, UTF-8, and what the locale names.
func registerTyped() {
	locale, _, _ := strings.Cut(cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG")), "@")
	_, charset, _ := strings.Cut(locale, ".")
	for _, name := range []string{"US-ASCII", "UTF-8", charset} {
		tcell.RegisterEncoding(name, typed{tcell.GetEncoding(name)})
	}
}

type decoder struct{ transform.NopResetter }

func (decoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		r, size := utf8.DecodeRune(src[nSrc:])
		switch {
		case r != utf8.RuneError:
		case size > 1:
			r = '?' // tcell takes U+FFFD for an error
		case !atEOF && !utf8.FullRune(src[nSrc:]):
			return nDst, nSrc, transform.ErrShortSrc
		default:
			r = rune(src[nSrc])
		}
		if nDst+utf8.RuneLen(r) > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += utf8.EncodeRune(dst[nDst:], r)
		nSrc += size
	}
	return nDst, nSrc, nil
}
