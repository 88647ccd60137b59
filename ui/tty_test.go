package ui

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/uniseg"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/command"
)

// tty is a terminal that keeps what is written to it. Its input is closed by Drain.
type tty struct {
	mu   sync.Mutex
	out  bytes.Buffer
	stop chan struct{}
	once sync.Once
}

func (t *tty) Start() error        { return nil }
func (t *tty) Stop() error         { return nil }
func (t *tty) Drain() error        { t.once.Do(func() { close(t.stop) }); return nil }
func (t *tty) NotifyResize(func()) {}
func (t *tty) WindowSize() (tcell.WindowSize, error) {
	return tcell.WindowSize{Width: 120, Height: 40}, nil
}
func (t *tty) Read([]byte) (int, error) { <-t.stop; return 0, errors.New("closed") }
func (t *tty) Close() error             { return nil }
func (t *tty) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.Write(b)
}

func (t *tty) written() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.String()
}

// ours matches what the screen itself sends: cursor, colours and attributes by number, character sets.
var ours = regexp.MustCompile(`\x1b\[[0-9;]*[Hm]|\x1b\(B|\x1b\[\?(25|2026|12)[hl]|\x1b\[[0-9;]*[JKCDABG]|\x1b\[0 q|[\x08\x0f]`)

// titled matches what sets the window's title, notified what asks for attention, copied what fills the clipboard, through tmux or not: no control character in any.
var (
	titled   = regexp.MustCompile(`\x1b\[>2t|\x1b\]2;[^\x00-\x1f\x7f-\x{9f}]*\x1b\\`)
	notified = regexp.MustCompile(`\x1bPtmux;\x1b\x1b\]9;[^\x00-\x1f\x7f-\x{9f}]*\x07\x1b\\|\x1b\](9|777;notify);[^\x00-\x1f\x7f-\x{9f}]*\x07`)
	copied   = regexp.MustCompile(`\x1b\]52;c;[A-Za-z0-9+/=]*\x1b\\`)
)

// hyperlink matches what is sent for a link: the target as it is seen, a page of the web.
var hyperlink = regexp.MustCompile(`\x1b\]8;(id=[0-9a-f]+;https?://[!-~]+|;)\x1b\\`)

// terminal is a stage on a terminal that keeps what is written to it.
func terminal(t *testing.T, c Config) (*stage, *tty) {
	t.Helper()
	t.Setenv("TERM", "xterm-256color")
	t.Setenv("LC_ALL", "C.UTF-8") // in C, a terminal draws lines with another character set
	term := &tty{stop: make(chan struct{})}
	screen, err := tcell.NewTerminfoScreenFromTty(term)
	if err != nil {
		t.Fatal(err)
	}
	if err := screen.Init(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(screen.Fini)
	s := &stage{app: newApp(c, screen), t: t, fake: c.Node.(*fake)}
	s.time = start
	s.now = func() time.Time { return s.time }
	return s, term
}

// The terminal is sent the rows that become different: of a key that of the input, of a message that scrolls most.
func TestFewBytes(t *testing.T) {
	s, term := terminal(t, Config{Node: lobby()})
	for i := range 60 {
		s.say(time.Minute, "bob", fmt.Sprintf("line %d: %s 漢字 👍🏽", i, strings.Repeat("the quick brown fox ", 3)))
	}
	s.draw()
	sent := func(do func()) int {
		before := len(term.written())
		do()
		return len(term.written()) - before
	}
	whole := sent(func() { s.screen.Sync(); s.draw() })
	for what, do := range map[string]func(){
		"a key":    func() { s.press("x") },
		"nothing":  s.draw,
		"the time": func() { s.stale = true; s.draw() },
	} {
		if n := sent(do); n > whole/20 {
			t.Errorf("%s sends %d bytes, the whole screen is %d", what, n, whole)
		}
	}
	s.press("Ctrl-C")
	if n := sent(func() { s.say(time.Minute, "bob", "the end"); s.draw() }); n < whole/3 {
		t.Errorf("scrolling sends %d bytes of %d", n, whole)
	}
	if !strings.Contains(term.written(), "end") {
		t.Error("what was said last is not there")
	}
}

// shown returns the cells of a terminal that shows each rune by itself, as most do, after what was written to it.
func shown(written string, w, h int) [][]string {
	rows := make([][]string, h+1)
	for y := range rows {
		rows[y] = slices.Repeat([]string{" "}, w)
	}
	written = regexp.MustCompile(`\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b\(B|\x1b[>=]|[\x07\x0f]`).ReplaceAllString(written, "")
	moves := regexp.MustCompile(`\x1b\[[?>]?([0-9]*);?([0-9]*)[0-9;]* ?([A-Za-z])`)
	x, y := 0, 0
	for written != "" {
		if m := moves.FindStringSubmatch(written); m != nil && strings.HasPrefix(written, m[0]) {
			written = written[len(m[0]):]
			if m[3] == "H" {
				y, _ = strconv.Atoi(cmp.Or(m[1], "1"))
				x, _ = strconv.Atoi(cmp.Or(m[2], "1"))
				x, y = x-1, y-1
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(written)
		if written = written[n:]; r == '\b' {
			x--
			continue
		}
		width := 0
		if !unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
			width = max(uniseg.StringWidth(string(r)), 1)
		}
		if r >= 0x1f3fb && r <= 0x1f3ff { // skin tones
			width = 2
		}
		if x+width > w {
			x, y = 0, min(y+1, h)
		}
		for i := range width {
			rows[y][x+i] = ""
		}
		if width > 0 {
			rows[y][x] = string(r)
		}
		x += width
	}
	return rows[:h]
}

// Nothing that somebody writes, or is called, stands anywhere but in its own cells, whatever the terminal takes for them, or stays when it is gone.
func TestInItsCells(t *testing.T) {
	for name, cluster := range map[string]string{
		"leading consonants": strings.Repeat("\u1100", 16), "vowel signs": "क" + strings.Repeat("ा", 15), "Burmese": "ကြွော်", "keycap": "1\ufe0f\u20e3",
		"a narrow sign with a skin tone": "✌🏽", "a family": "👨\u200d👩\u200d👧\u200d👦", "a sign joined to many": "©" + strings.Repeat("\u200d👩", 7), "skin tones": "👍" + strings.Repeat("🏽", 15),
		"letters of flags": strings.Repeat("🇩", 15), "half-width kana": "ｶﾞ", "Bengali": "কা",
		"a vowel sign behind a letter of another script": "aা", "half of a kana behind a blank": " ﾞ",
	} {
		t.Run(name, func(t *testing.T) {
			f := lobby()
			s, term := terminal(t, Config{Node: f})
			check := func(what string) {
				t.Helper()
				s.draw()
				w, h := s.screen.Size()
				rows := shown(term.written(), w, h)
				for y := range h {
					for x := 0; x < w; {
						want, _, width := s.screen.Get(x, y)
						if got := rows[y][x]; utf8.RuneCountInString(want) <= 1 && got != want {
							t.Fatalf("%s: %q stands at %d,%d in the place of %q:\n%s", what, got, x, y, want, strings.Join(rows[y], ""))
						}
						x += width
					}
				}
			}
			for before := range 75 {
				s.say(time.Minute, "bob", strings.Repeat("x", before)+cluster+"y "+cluster+" z")
				if before%20 == 19 {
					check(fmt.Sprint("after ", before, " lines"))
				}
			}
			f.snapshot.People[2].Nick = cluster
			s.stale = true
			check("called so")
			s.handle(tcell.NewEventResize(s.screen.Size()))
			check("drawn anew")
			for range 50 {
				s.say(time.Minute, "bob", "z")
			}
			check("when they are gone")
		})
	}
}

// What lies over the screen is whole, also where it covers half of a character.
func TestOverHalf(t *testing.T) {
	s := newStage(t, 120, 40, lobby(), Config{})
	for range 20 {
		s.say(time.Minute, "bob", "x"+strings.Repeat("漢", 30))
		s.say(time.Minute, "bob", "y"+strings.Repeat("漢", 30))
	}
	s.paste(strings.Repeat("y", 9000))
	s.want("x ┌─ you pasted")
	s.want("y │▸ throw it away")
	s.want("x └──")
	s.press("Down", "Down", "Enter", "Ctrl-U", "漢字")
	s.want("> 漢字")
}

// No byte of anybody's text commands the terminal, wherever on the screen it stands.
func TestBytes(t *testing.T) {
	const evil = "x\x1b[?1337h\x1b]52;c;ZXZpbA==\x07\x1b]8;;http://evil/\x1b\\\x1bP+q\x1b\\\u009b?1337h\u009d0;evil\u009c\x00\x07\x0e\x7f\ny"
	fake := lobby()
	me := fake.snapshot.Me
	me.Nick = "me" + evil
	mallory := node.Person{ID: id("mallory"), Nick: evil, Latency: time.Second}
	fake.snapshot.Me, fake.snapshot.Network, fake.snapshot.Hub.Hub = me, evil, evil
	fake.snapshot.People = []node.Person{me, mallory}
	fake.snapshot.Rooms = append(fake.snapshot.Rooms, node.Room{Name: "#" + evil, Joined: true})
	who := node.Named{Nick: evil, ID: id("mallory")}
	fake.snapshot.Rooms = append(fake.snapshot.Rooms,
		node.Room{Name: "@" + evil, ID: message.RoomID{1}, Kind: node.DirectRoom, Joined: true, With: who},
		node.Room{Name: "#p" + evil, ID: message.RoomID{2}, Kind: node.PrivateRoom, Joined: true, Owner: who, Members: 2},
		node.Room{Name: "#i" + evil, ID: message.RoomID{3}, Kind: node.PrivateRoom, By: who})
	fake.members = map[string][]node.Member{"#p" + evil: {{Named: who, Owner: true, Here: true}}}
	fake.snapshot.Rooms[0].Topic = node.Topic{Text: evil, Nick: evil}
	fake.snapshot.Typing = []node.Typist{{Room: "#lobby", Nick: evil}}
	fake.snapshot.Candidates = []node.Candidate{{Nick: evil, Address: evil}}
	fake.do = func(node.Command) error { return &node.Error{Text: evil, Hint: evil} }

	env := map[string]string{"TERM_PROGRAM": "WezTerm"}
	s, term := terminal(t, Config{Node: fake, Version: evil, Getenv: func(name string) string { return env[name] }})
	a := s.app
	var piped []string
	a.pipe = func(text, name string, args ...string) error { piped = append(piped, text); return nil }
	before := len(term.written())
	a.apply(fake.snapshot.Hub)
	s.say(time.Minute, evil, evil)
	for _, h := range hostile {
		s.say(time.Minute, "mallory", h)
	}
	told := node.Message{ID: message.ID{7}, Room: "#lobby", Kind: message.Text, Nick: evil, Author: id("mallory"), Text: evil, At: start,
		Quote: node.Quote{ID: message.ID{8}, Nick: evil, Text: evil}}
	a.apply(node.Said{Message: told})
	told.Reactions = []node.Reaction{{Emoji: evil, Count: 1, Nicks: []string{evil}}}
	a.apply(node.Reacted{Message: told, Emoji: evil, By: evil})
	a.apply(node.Edited{Message: told})
	a.apply(node.TopicChanged{Room: "#lobby", Topic: node.Topic{Text: evil, Nick: evil}})
	a.apply(node.PeerChanged{State: node.Away, Nick: evil, Why: evil})
	a.apply(node.PeerChanged{State: node.Joined, Nick: evil})
	a.apply(node.Renamed{Old: evil, New: evil})
	a.apply(node.Notice{Text: evil, Hint: evil})
	a.apply(node.HubChanged{State: node.Lost, Hub: evil})
	a.draw()
	a.apply(node.Invited{Room: "#i" + evil, By: who})
	a.show("#p" + evil)
	a.draw()
	a.apply(node.Members{Room: "#p" + evil, Added: []node.Named{who, who}, Taken: []node.Named{who}, Owner: who})
	a.apply(node.Answered{Room: "#p" + evil, By: who})
	a.apply(node.RoomRenamed{ID: message.RoomID{2}, Old: evil, New: "#p" + evil})
	a.apply(node.Read{Room: "@" + evil, By: who})
	a.openMembers("#p" + evil)
	a.draw()
	a.openInvitation(a.withID(message.RoomID{3}))
	a.draw()
	a.show("@" + evil)
	a.draw()
	a.send(a.here(), command.Action{Do: node.Say{Room: "@x" + evil, Text: evil}}, evil)
	a.outbox[0].after(nil)
	a.draw()
	a.outbox = nil
	a.show("#lobby")
	for _, c := range []string{"/who", "/hub", "/rooms", "/realms", "/version", "/nick", "/x" + evil} {
		a.submit(c)
		a.draw()
	}
	a.fail(&node.Error{Text: evil, Hint: evil})
	a.away = true
	for _, e := range []map[string]string{{"TERM": "foot"}, {"TMUX": "yes"}, {"TERM_PROGRAM": "iTerm.app"}} {
		env = e
		s.said(time.Minute, node.Message{Room: "#" + evil, Kind: message.Text, Nick: evil, Author: id("mallory"), Text: evil}, false)
		a.copyText(evil)
		a.draw()
	}
	a.input.insert(evil)
	s.press("F1", "Esc", "F4", "F4", "F5", "Ctrl-C", "x", "Tab", "Ctrl-C", "#", "Tab", "Ctrl-N", "PgUp", "Ctrl-K", "x", "Esc", "Tab", "k", "y", "Esc", "@", "Tab", "Ctrl-C", "/topic", "Enter")
	out := term.written()[before:]
	s.screen.Fini()
	a.goroutines.Wait()
	if len(piped) != 1 || piped[0] != evil {
		t.Errorf("tmux is given %q", piped)
	}

	if !strings.Contains(out, "[?1337h") {
		t.Error("the text itself was not drawn")
	}
	rest := out
	for _, own := range []*regexp.Regexp{hyperlink, titled, notified, copied, ours} {
		if rest = own.ReplaceAllString(rest, ""); own != ours && !own.MatchString(out) {
			t.Errorf("nothing is like %v", own)
		}
	}
	if n := strings.Count(rest, "\a"); n != 4 {
		t.Errorf("the bell rings %d times, not for each of four notifications", n)
	}
	rest = strings.ReplaceAll(rest, "\a", "")
	for i, r := range rest {
		if r < 0x20 && r != '\r' && r != '\n' || r >= 0x7f && r < 0xa0 {
			t.Fatalf("a control character reached the terminal: %q", rest[max(i-20, 0):min(i+20, len(rest))])
		}
	}
}
