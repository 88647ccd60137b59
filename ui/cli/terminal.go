package cli

import (
	"cmp"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/gdamore/tcell/v2"
	"golang.org/x/term"

	"earshot/ui/look"
)

// mode chooses how the chat is shown; why says what keeps a terminal from the full screen.
func (o *options) mode(stdin, stdout bool, termName string) (m Mode, why string) {
	switch {
	case o.plain || o.json || o.serverOnly || !stdout:
		return Lines, ""
	case !stdin:
		return Lines, "the input is no terminal"
	case runtime.GOOS == "windows": // a console needs no TERM
		return FullScreen, ""
	case termName == "" || termName == "dumb" || termName == "unknown":
		return Lines, "the terminal cannot do more (TERM=" + termName + ")"
	}
	if _, err := tcell.LookupTerminfo(termName); err != nil {
		return Lines, "nothing is known of this terminal (TERM=" + termName + ")"
	}
	return FullScreen, ""
}

// linger is how long somebody is given to take what was said when the input ends: they are found within 3 s, and take it at once.
const linger = 5 * time.Second

// input is what line mode reads. A box has a console only where it has a terminal. The null device means that nothing will be said, and a pipe
// that ends that all has been.
func (o *options) input(terminal bool) (io.Reader, time.Duration) {
	switch info, err := os.Stdin.Stat(); {
	case o.serverOnly && terminal:
		ignoreBackground()
		return os.Stdin, 0
	case terminal:
		return os.Stdin, 0
	case o.serverOnly, err != nil, info.Mode()&os.ModeCharDevice != 0:
		return nil, 0
	}
	return os.Stdin, linger
}

// look is the theme that was asked for. NO_COLOR (no-color.org) and the locale decide what was not.
func (o *options) look() look.Theme {
	theme := look.Theme{ASCII: !unicodeLocale(), Locale: localeOf("LC_TIME")}
	if os.Getenv("NO_COLOR") != "" {
		theme.Colours = look.Mono
	}
	theme, _ = theme.With(o.theme) // checked when it was read
	return theme
}

// localeOf is the locale that a variable is about, by the variables in their order (POSIX.1 §8.2).
func localeOf(category string) string {
	return cmp.Or(os.Getenv("LC_ALL"), os.Getenv(category), os.Getenv("LANG"))
}

// unicodeLocale reports whether the terminal shows more than ASCII.
func unicodeLocale() bool {
	if runtime.GOOS == "windows" {
		return true
	}
	if l := strings.ToLower(localeOf("LC_CTYPE")); l != "" {
		return strings.Contains(l, "utf-8") || strings.Contains(l, "utf8")
	}
	return runtime.GOOS == "darwin" // where a terminal's locale may well be unset
}

// leaveScreen ends what a full-screen program switches on: mouse (all kinds), focus events, bracketed paste, keypad mode, the alternate screen,
// colours, a hidden cursor, a title (xterm's control sequences, in the order tcell undoes them).
const leaveScreen = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?1007r\x1b[?1l\x1b>\x1b[0m\x1b[?25h\x1b[?1049l\x1b[23;2t"

// saveTerminal returns what puts the terminal back as it is now: for a second signal and for a crash, when nobody else can. full: a full-screen
// program uses it meanwhile.
func saveTerminal(full bool) (restore func()) {
	if !full {
		return func() {}
	}
	stdin := int(os.Stdin.Fd())
	state, err := term.GetState(stdin)
	if err != nil {
		return func() {}
	}
	return sync.OnceFunc(func() {
		os.Stdout.WriteString(leaveScreen)
		term.Restore(stdin, state)
	})
}
