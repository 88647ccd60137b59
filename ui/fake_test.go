package ui

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
)

var update = flag.Bool("update", false, "write the golden screens and the picture anew")

// fake is a node that does what the test says.
type fake struct {
	mu       sync.Mutex
	snapshot node.Snapshot
	done     []node.Command
	pages    []node.Key
	do       func(node.Command) error
	page     func(room string, k node.Key, max int) ([]node.Message, error)
	after    func(room string, k node.Key, max int) ([]node.Message, error)
	search   func(ctx context.Context, query string, older int64, max int) (node.Found, error)
	searched []string
	members  map[string][]node.Member
	events   chan []node.Event
	changed  chan struct{}
}

func (f *fake) Do(ctx context.Context, c node.Command) error {
	if _, ok := c.(node.Typing); ok {
		return nil
	}
	if s, ok := c.(node.Seen); ok && s.Room[0] == '#' { // it is said all the time
		return nil
	}
	f.mu.Lock()
	f.done = append(f.done, c)
	do := f.do
	f.mu.Unlock()
	if do != nil {
		return do(c)
	}
	return nil
}
func (f *fake) Resume(ctx context.Context, history int) <-chan []node.Event { return f.events }
func (f *fake) tell(events ...node.Event)                                   { f.events <- events }
func (f *fake) Changed(ctx context.Context) <-chan struct{}                 { return f.changed }
func (f *fake) Snapshot() node.Snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.snapshot
}
func (f *fake) Page(room string, k node.Key, max int) ([]node.Message, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pages = append(f.pages, k)
	if f.page != nil {
		return f.page(room, k, max)
	}
	return nil, nil
}

func (f *fake) After(room string, k node.Key, max int) ([]node.Message, error) {
	f.mu.Lock()
	after := f.after
	f.mu.Unlock()
	if after != nil {
		return after(room, k, max)
	}
	return nil, nil
}

func (f *fake) Search(ctx context.Context, query string, older int64, max int) (node.Found, error) {
	f.mu.Lock()
	f.searched = append(f.searched, query)
	search := f.search
	f.mu.Unlock()
	if search != nil {
		return search(ctx, query, older, max)
	}
	return node.Found{}, nil
}

func (f *fake) Whois(name string) (node.Whois, error) {
	for _, p := range append(f.Snapshot().People, f.Snapshot().Ignored...) {
		if p.Nick == name || p.ID.Fingerprint() == name {
			return node.Whois{Person: p, Code: "EARSHOT:VERIFY:581C0B673446A5013A0CE3FABB466EB2:" + strings.ReplaceAll(p.ID.Fingerprint(), "-", "")}, nil
		}
	}
	return node.Whois{}, &node.Error{Text: "nobody is called " + name}
}

func (f *fake) Members(room string) ([]node.Member, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if list, ok := f.members[room]; ok {
		return list, nil
	}
	return nil, &node.Error{Text: room + " is not a private room that you are in"}
}

func person(name string) node.Person { return node.Person{ID: id(name), Nick: name} }

func id(name string) (p identity.PeerID) { copy(p[:], name); return p }

// lobby is a network of four, bob the hub.
func lobby() *fake {
	me, bob, carol, dave := person("alice"), person("bob"), person("carol"), person("dave")
	me.Me, bob.Hub, dave.Away = true, true, true
	bob.Latency, carol.Latency = 400*time.Microsecond, 900*time.Microsecond
	return &fake{
		events: make(chan []node.Event, 10000), changed: make(chan struct{}, 1),
		snapshot: node.Snapshot{
			Me: me, Network: "lobby", People: []node.Person{me, bob, carol, dave},
			Hub:     node.HubChanged{State: node.Linked, Hub: "bob", HubID: id("bob"), Term: 3},
			Rooms:   []node.Room{{Name: "#lobby", Joined: true}, {Name: "#build", Joined: true}},
			Address: netip.MustParseAddr("192.168.1.7"),
		},
	}
}

// sized is a simulated screen that is of its size from the start.
type sized struct {
	tcell.SimulationScreen
	w, h int
}

func (s sized) Init() error {
	err := s.SimulationScreen.Init()
	s.SetSize(s.w, s.h)
	return err
}

// stage is a screen driven by hand, without its loop.
type stage struct {
	*app
	t    testing.TB
	fake *fake
	sim  tcell.SimulationScreen
	time time.Time
	seq  uint64
}

var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.Local)

func newStage(t testing.TB, w, h int, f *fake, c Config) *stage {
	t.Helper()
	sim := tcell.NewSimulationScreen("UTF-8")
	if err := (sized{sim, w, h}).Init(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Fini)
	c.Node, c.Version = f, "test"
	s := &stage{app: newApp(c, sim), t: t, fake: f, sim: sim, time: start}
	s.now = func() time.Time { return s.time }
	s.draw()
	return s
}

// say lets someone say something a while later.
func (s *stage) say(after time.Duration, who, text string) message.ID {
	return s.said(after, node.Message{Room: "#lobby", Kind: message.Text, Nick: who, Author: id(who), Text: text}, false)
}

func (s *stage) said(after time.Duration, m node.Message, history bool) message.ID {
	s.time = s.time.Add(after)
	s.seq++
	copy(m.ID[:], fmt.Sprintf("id %013d", s.seq))
	m.At, m.Key = s.time, node.Key{HLC: uint64(s.time.UnixMilli()) << 16, Seq: s.seq}
	m.Mine = m.Author == id("alice")
	m.Here = m.Mine
	s.apply(node.Said{Message: m, History: history, Unread: !history && !m.Mine})
	return m.ID
}

// press presses keys by their chord, or types text.
func (s *stage) press(keys ...string) {
	for _, k := range keys {
		if ev, ok := named[k]; ok {
			s.handle(ev)
			s.draw()
			continue
		}
		for _, r := range k {
			s.handle(tcell.NewEventKey(tcell.KeyRune, r, tcell.ModNone))
		}
		s.draw()
	}
}

var named = map[string]*tcell.EventKey{
	"Enter": tcell.NewEventKey(tcell.KeyEnter, 0, 0), "Tab": tcell.NewEventKey(tcell.KeyTab, 0, 0), "Shift-Tab": tcell.NewEventKey(tcell.KeyBacktab, 0, 0),
	"Esc": tcell.NewEventKey(tcell.KeyEsc, 0, 0), "Up": tcell.NewEventKey(tcell.KeyUp, 0, 0), "Down": tcell.NewEventKey(tcell.KeyDown, 0, 0),
	"PgUp": tcell.NewEventKey(tcell.KeyPgUp, 0, 0), "PgDn": tcell.NewEventKey(tcell.KeyPgDn, 0, 0),
	"Home": tcell.NewEventKey(tcell.KeyHome, 0, 0), "End": tcell.NewEventKey(tcell.KeyEnd, 0, 0),
	"F1": tcell.NewEventKey(tcell.KeyF1, 0, 0), "F2": tcell.NewEventKey(tcell.KeyF2, 0, 0), "Ctrl-K": tcell.NewEventKey(tcell.KeyCtrlK, 0, tcell.ModCtrl), "F3": tcell.NewEventKey(tcell.KeyF3, 0, 0), "F4": tcell.NewEventKey(tcell.KeyF4, 0, 0), "F5": tcell.NewEventKey(tcell.KeyF5, 0, 0), "F6": tcell.NewEventKey(tcell.KeyF6, 0, 0),
	"Ctrl-C": tcell.NewEventKey(tcell.KeyCtrlC, 0, tcell.ModCtrl), "Ctrl-N": tcell.NewEventKey(tcell.KeyCtrlN, 0, tcell.ModCtrl), "Ctrl-P": tcell.NewEventKey(tcell.KeyCtrlP, 0, tcell.ModCtrl),
	"Ctrl-J": tcell.NewEventKey(tcell.KeyCtrlJ, 0, tcell.ModCtrl), "Ctrl-Q": tcell.NewEventKey(tcell.KeyCtrlQ, 0, tcell.ModCtrl), "Ctrl-Z": tcell.NewEventKey(tcell.KeyCtrlZ, 0, tcell.ModCtrl),
	"Alt-Enter": tcell.NewEventKey(tcell.KeyRune, 'm', tcell.ModAlt|tcell.ModCtrl), "Alt-1": tcell.NewEventKey(tcell.KeyRune, '1', tcell.ModAlt), "Alt-2": tcell.NewEventKey(tcell.KeyRune, '2', tcell.ModAlt),
	"Alt-5": tcell.NewEventKey(tcell.KeyRune, '5', tcell.ModAlt),
	"Alt-a": tcell.NewEventKey(tcell.KeyRune, 'a', tcell.ModAlt), "Ctrl-A": tcell.NewEventKey(tcell.KeyCtrlA, 0, tcell.ModCtrl), "Ctrl-U": tcell.NewEventKey(tcell.KeyCtrlU, 0, tcell.ModCtrl), "Ctrl-W": tcell.NewEventKey(tcell.KeyCtrlW, 0, tcell.ModCtrl),
}

// resize gives the screen another size.
func (s *stage) resize(w, h int) {
	s.sim.SetSize(w, h)
	s.draw()
	s.draw() // the first tells the screen of its size
}

// rows returns the text on the screen.
func (s *stage) rows() []string { return text(s.sim) }

func text(screen tcell.Screen) []string {
	w, h := screen.Size()
	rows := make([]string, h)
	for y := range h {
		var b strings.Builder
		for x := 0; x < w; {
			str, _, n := screen.Get(x, y)
			b.WriteString(str)
			x += max(n, 1)
		}
		rows[y] = strings.TrimRight(b.String(), " ")
	}
	return rows
}

// has reports whether some row holds all of words.
func (s *stage) has(words ...string) bool {
	return slices.ContainsFunc(s.rows(), func(row string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(row, w) })
	})
}

func (s *stage) want(words ...string) {
	s.t.Helper()
	if !s.has(words...) {
		s.t.Errorf("no row with %q in\n%s", words, strings.Join(s.rows(), "\n"))
	}
}

func (s *stage) wantNot(words ...string) {
	s.t.Helper()
	if s.has(words...) {
		s.t.Errorf("a row with %q in\n%s", words, strings.Join(s.rows(), "\n"))
	}
}

// golden compares the screen, text and styles, with the file of that name.
func (s *stage) golden(name string) {
	s.t.Helper()
	s.draw()
	got := dump(s.sim)
	path := filepath.Join("testdata", name+".screen")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if got != string(want) {
		s.t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// dump writes a screen's rows, and under each that has any the styles of its cells as letters, with a legend.
func dump(screen tcell.Screen) string {
	w, h := screen.Size()
	legend := map[tcell.Style]byte{tcell.StyleDefault: ' '}
	var b, names strings.Builder
	for y, row := range text(screen) {
		fmt.Fprintf(&b, "|%s\n", row)
		styles := make([]byte, w)
		for x := range w {
			_, style, _ := screen.Get(x, y)
			if _, ok := legend[style]; !ok {
				legend[style] = "abcdefghijklmnopqrstuvwxyz"[len(legend)-1]
				fmt.Fprintf(&names, "%c %s\n", legend[style], describe(style))
			}
			styles[x] = legend[style]
		}
		if line := strings.TrimRight(string(styles), " "); line != "" {
			fmt.Fprintf(&b, ":%s\n", line)
		}
	}
	x, y, visible := screen.(interface{ GetCursor() (int, int, bool) }).GetCursor()
	fmt.Fprintf(&b, "%dx%d, cursor %d,%d %v\n%s", w, h, x, y, visible, names.String())
	return b.String()
}

// describe names a style by numbers: tcell's names of colours depend on the order of a map.
func describe(s tcell.Style) string {
	fg, bg, attr := s.Decompose()
	words := []string{fmt.Sprintf("fg=%x bg=%x", uint64(fg), uint64(bg))}
	for _, a := range []struct {
		mask tcell.AttrMask
		name string
	}{{tcell.AttrBold, "bold"}, {tcell.AttrDim, "dim"}, {tcell.AttrReverse, "reverse"}, {tcell.AttrUnderline, "underline"}, {tcell.AttrItalic, "italic"}} {
		if attr&a.mask != 0 {
			words = append(words, a.name)
		}
	}
	return strings.Join(words, " ")
}
