package ui

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/ui/look"
)

// pieces is a terminal from which a few pieces are read.
type pieces struct {
	tcell.Tty
	left []string
}

func (p *pieces) Read(b []byte) (int, error) {
	n := copy(b, p.left[0])
	p.left = p.left[1:]
	return n, nil
}

// The answer of a terminal is heard wherever it is cut, among keys, and passed on as it came; only the first counts.
func TestBackground(t *testing.T) {
	for _, c := range []struct {
		read []string
		want look.Colours
	}{
		{[]string{"\x1b]11;rgb:ffff/ffff/ffff\x1b\\"}, look.Light},
		{[]string{"\x1b]11;rgb:fd/f6/e3\x07"}, look.Light},
		{[]string{"\x1b]11;rgba:0000/2b2b/3636/ffff\x07"}, look.Dark},
		{[]string{"\x1b]11;rgb:1/1/1\x07", "\x1b]11;rgb:f/f/f\x07"}, look.Dark},
		{[]string{"ab\x1b", "]11;rgb:0000/00", "00/0000\x1b", "\\cd"}, look.Dark},
		{[]string{"what is 11;rgb:f/f/f"}, ""},
	} {
		l := &listening{Tty: &pieces{left: c.read}, heard: make(chan look.Colours, 1), until: time.Now().Add(time.Minute)}
		for _, want := range c.read {
			b := make([]byte, 100)
			if n, err := l.Read(b); err != nil || !bytes.Equal(b[:n], []byte(want)) {
				t.Errorf("%q: read %q", want, b[:n])
			}
		}
		got := look.Colours("")
		select {
		case got = <-l.heard:
		default:
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.read, got, c.want)
		}
	}
}

// What is there already changes with the theme. What was chosen is not overruled by what suits the terminal.
func TestTheme(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	s.say(time.Minute, "bob", "see https://example.org")
	s.draw()
	style := func(words string) tcell.Style {
		for y, row := range s.rows() {
			if at := strings.Index(row, words); at >= 0 {
				_, style, _ := s.sim.Get(len([]rune(row[:at])), y)
				return style
			}
		}
		t.Fatalf("no %q", words)
		return tcell.Style{}
	}
	dark := style("https")
	s.suit(look.Light)
	s.draw()
	light := style("https")
	if dark == light {
		t.Error("a light background changes nothing")
	}
	s.press("/theme dark", "Enter")
	s.want("the theme is dark")
	if style("https") != dark {
		t.Error("/theme dark is not dark")
	}
	s.press("/clear", "Enter")
	s.say(time.Minute, "bob", "@alice example.org https://example.org")
	s.suit(look.Light)
	s.press("/theme mono ascii", "Enter")
	s.want("> @alice")
	s.press("/theme pink", "Enter")
	s.want(`"pink" is none of`)
	s.press("Ctrl-C", "/theme auto unicode", "Enter")
	if style("https") != light {
		t.Error("/theme auto is not what suits the terminal")
	}
}

// No terminal is waited for.
func TestHurried(t *testing.T) {
	for _, name := range []string{"vt100", "vt220", "linux", "xterm-256color"} {
		known, err := tcell.LookupTerminfo(name)
		if err != nil {
			t.Fatal(err)
		}
		was, is := fmt.Sprintf("%+v", *known), fmt.Sprintf("%+v", *hurried(*known))
		if strings.Contains(is, "$<") || is != padding.ReplaceAllString(was, "") || name == "vt100" && is == was {
			t.Errorf("%s: %q", name, is)
		}
	}
}
