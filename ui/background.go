package ui

import (
	"bytes"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/gdamore/tcell/v2/terminfo"

	"earshot/ui/look"
)

// askBackground asks a terminal for its background colour (xterm's OSC 11; terminals that do not know it say nothing).
const askBackground = "\x1b]11;?\x1b\\"

// backgroundAnswer matches what it says: 1 to 4 hexadecimal digits for each of red, green and blue.
var backgroundAnswer = regexp.MustCompile(`\x1b\]11;rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})`)

// longestAnswer bounds what is kept of what was read, for an answer that comes in pieces.
const longestAnswer = 48

// listening is a terminal whose answer is overheard: tcell throws it away.
type listening struct {
	tcell.Tty
	heard chan look.Colours // has room for one
	last  []byte
	until time.Time
}

// newTerminal returns the terminal as a screen, and where it says which colours suit its background.
func newTerminal() (tcell.Screen, <-chan look.Colours, error) {
	tcell.SetEncodingFallback(tcell.EncodingFallbackASCII) // of a locale whose characters tcell does not know
	registerTyped()
	if tty, err := tcell.NewDevTty(); err == nil {
		l := &listening{Tty: tty, heard: make(chan look.Colours, 1), until: time.Now().Add(10 * time.Second)}
		if known, err := tcell.LookupTerminfo(os.Getenv("TERM")); err == nil {
			if screen, err := tcell.NewTerminfoScreenFromTtyTerminfo(l, hurried(*known)); err == nil {
				return screen, l.heard, nil
			}
		}
	}
	screen, err := tcell.NewScreen() // Windows' console, or the error
	return screen, nil, err
}

// padding is how long a terminal took for a command, in milliseconds, when it was made of wire.
var padding = regexp.MustCompile(`\$<[0-9.*/]+>`)

// hurried is what is known of a terminal without such rests, which tcell takes before it sends anything: with TERM=vt100 a second for each drawing.
func hurried(t terminfo.Terminfo) *terminfo.Terminfo {
	for _, field := range reflect.ValueOf(&t).Elem().Fields() {
		if field.Kind() == reflect.String {
			field.SetString(padding.ReplaceAllString(field.String(), ""))
		}
	}
	return &t
}

// Read is called by one goroutine.
func (l *listening) Read(b []byte) (int, error) {
	n, err := l.Tty.Read(b)
	if l.until.IsZero() || n == 0 {
		return n, err
	}
	l.last = append(l.last, b[:n]...)
	if m := backgroundAnswer.FindSubmatch(l.last); m != nil {
		l.until = time.Time{}
		l.heard <- coloursFor(m[1], m[2], m[3])
	} else if time.Now().After(l.until) {
		l.until = time.Time{}
	}
	l.last = bytes.Clone(l.last[max(len(l.last)-longestAnswer, 0):])
	return n, err
}

// coloursFor tells light from dark by the perceived brightness (ITU-R BT.601) of a background.
func coloursFor(red, green, blue []byte) look.Colours {
	part := func(hex []byte) float64 {
		n, _ := strconv.ParseUint(string(hex), 16, 16)
		return float64(n) / float64(uint(1)<<(4*len(hex))-1)
	}
	if 0.299*part(red)+0.587*part(green)+0.114*part(blue) > 0.5 {
		return look.Light
	}
	return look.Dark
}

// suit takes the colours for the terminal's background, where none are chosen.
func (a *app) suit(c look.Colours) {
	a.background = c
	if a.theme.Colours == "" || a.theme.Colours == look.Auto {
		a.setTheme(a.theme)
	}
}

// setTheme draws everything in another theme from now on.
func (a *app) setTheme(t look.Theme) {
	a.theme = t
	if t.Colours == "" || t.Colours == look.Auto {
		t.Colours = a.background
	}
	a.look = look.New(a.screen.Colors(), t)
	for _, r := range a.rooms {
		r.input.setLook(a.look)
		r.list.SetLook(a.look)
	}
}
