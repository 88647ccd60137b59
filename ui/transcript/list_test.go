package transcript

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/ui/look"
)

var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.Local)

// msg is the nth message, a second after the one before, by one of three people.
func msg(n int, text string) node.Message {
	m := node.Message{Room: "#lobby", Kind: message.Text, Text: text, At: start.Add(time.Duration(n) * time.Second), Key: node.Key{HLC: uint64(n) + 1}}
	copy(m.ID[:], fmt.Sprintf("id %013d", n))
	m.Nick = []string{"bob", "carol", "dave"}[n/4%3]
	copy(m.Author[:], m.Nick)
	return m
}

// history is messages from to to, of different lengths.
func history(from, to int) []node.Message {
	var page []node.Message
	for n := from; n < to; n++ {
		page = append(page, msg(n, fmt.Sprintf("message %d %s", n, strings.Repeat("and so on ", n%7*n%5))))
	}
	return page
}

func screen(t testing.TB, w, h int) tcell.SimulationScreen {
	t.Helper()
	s := tcell.NewSimulationScreen("UTF-8")
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Fini)
	s.SetSize(w, h)
	s.Show()
	return s
}

// rows draws the list and returns what is seen.
func rows(s tcell.SimulationScreen, l *List, w, h int) []string {
	s.SetSize(w, h)
	s.Show()
	s.Clear()
	l.Draw(s, 0, 0, w, h)
	out := make([]string, h)
	for y := range h {
		var b strings.Builder
		for x := 0; x < w; {
			str, _, n := s.Get(x, y)
			b.WriteString(str)
			x += max(n, 1)
		}
		out[y] = strings.TrimRight(b.String(), " ")
	}
	return out
}

func newList() *List { return New(look.New(256, look.Theme{})) }

func filled(n int) *List {
	l := newList()
	for _, m := range history(0, n) {
		l.Add(node.Said{Message: m, History: true}, "alice", false)
	}
	return l
}

// While scrolled up nothing moves, whatever arrives: at the end, above, and in between.
func TestStaysStill(t *testing.T) {
	s := screen(t, 60, 20)
	l := filled(300)
	rows(s, l, 60, 20)
	l.Page(-3)
	before := rows(s, l, 60, 20)
	for n := 300; n < 1300; n++ {
		l.Add(node.Said{Message: msg(n, "burst")}, "alice", true)
	}
	l.Presence(start, node.PeerChanged{State: node.Joined, Nick: "erin"})
	l.Event(start, "something")
	for n := range 50 { // older than everything
		m := msg(0, "from before")
		m.ID[0], m.Key.HLC, m.Key.Seq = byte(n), 0, uint64(n)
		l.Add(node.Said{Message: m, History: true}, "alice", true)
	}
	after := rows(s, l, 60, 20)
	if l.below != 1000 || !strings.HasSuffix(after[19], "↓ 1000 new (End)") {
		t.Errorf("%d below, %q", l.below, after[19])
	}
	if !slices.Equal(before[:19], after[:19]) {
		t.Errorf("the screen moved from\n%s\nto\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	l.End()
	if end := rows(s, l, 60, 20); l.below != 0 || !slices.ContainsFunc(end, func(r string) bool { return strings.Contains(r, "something") }) {
		t.Errorf("the end is\n%s", strings.Join(end, "\n"))
	}
}

// A narrower screen and back shows the same place, in the middle of a long message too.
func TestResizeKeepsThePlace(t *testing.T) {
	s := screen(t, 120, 20)
	l := filled(300)
	l.Add(node.Said{Message: msg(300, strings.Repeat("long words of a long story ", 100)), History: true}, "alice", false)
	rows(s, l, 120, 20)
	for _, up := range []int{3, 20, 21, 22, 23, 47, 200} {
		l.End()
		l.Scroll(-up)
		before := rows(s, l, 120, 20)
		narrow := rows(s, l, 40, 9)
		wide := rows(s, l, 120, 20)
		if !slices.Equal(before, wide) {
			t.Errorf("up %d: from\n%s\nto\n%s", up, strings.Join(before, "\n"), strings.Join(wide, "\n"))
		}
		first := strings.Fields(before[0])
		if word := first[len(first)-1]; !strings.Contains(strings.Join(narrow, "\n"), strings.Trim(word, "─")) {
			t.Errorf("up %d: %q is not in\n%s", up, before[0], strings.Join(narrow, "\n"))
		}
	}
}

// Scrolling shows every row once, in both directions.
func TestScroll(t *testing.T) {
	s := screen(t, 50, 10)
	l := filled(100)
	rows(s, l, 50, 10)
	l.Home()
	var down []string
	for {
		down = append(down, rows(s, l, 50, 10)[0])
		if l.Following() {
			break
		}
		l.Scroll(1)
	}
	var up []string
	for range down {
		up = append(up, rows(s, l, 50, 10)[0])
		l.Scroll(-1)
	}
	slices.Reverse(up)
	if !slices.Equal(up, down) || len(down) < 120 {
		t.Errorf("%d rows down, %d up", len(down), len(up))
	}
	for n := range 90 {
		if !slices.ContainsFunc(down, func(r string) bool { return strings.Contains(r, fmt.Sprintf("message %d", n)) }) {
			t.Errorf("message %d is never at the top", n)
		}
	}
}

// In whatever order messages come, they stand in the order of their keys, once.
func TestOrder(t *testing.T) {
	want := filled(200)
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		page := append(history(0, 200), history(50, 60)...)
		r.Shuffle(len(page), func(i, j int) { page[i], page[j] = page[j], page[i] })
		l := newList()
		for i, m := range page {
			if i%10 == 0 {
				l.Event(start, "note")
			}
			l.Add(node.Said{Message: m, History: r.IntN(2) == 0}, "alice", false)
		}
		l.entries = slices.DeleteFunc(l.entries, func(e *entry) bool { return e.kind == event })
		if !slices.EqualFunc(l.entries, want.entries, func(a, b *entry) bool { return a.id == b.id }) {
			t.Errorf("seed %d: another order", seed)
		}
	}
}

// What the program says stays below the history that comes after it, and above what is said next.
func TestNotesStandWhereTheyHappened(t *testing.T) {
	l := newList()
	l.Answer(start, "welcome")
	for _, m := range history(0, 3) {
		l.Add(node.Said{Message: m, History: true}, "alice", false)
	}
	l.Add(node.Said{Message: msg(10, "live")}, "alice", false)
	l.Event(start, "note")
	l.Pend(start, node.Person{Nick: "alice", Me: true}, node.Say{Text: "mine"})
	l.Add(node.Said{Message: msg(5, "late"), History: true}, "alice", false)
	l.Add(node.Said{Message: msg(11, "next")}, "alice", false)
	var got []string
	for _, e := range l.entries {
		got = append(got, strings.Fields(e.text)[0])
	}
	if want := []string{"message", "message", "message", "late", "welcome", "live", "note", "next", "mine"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestOwnLines(t *testing.T) {
	s := screen(t, 60, 12)
	l := newList()
	me := node.Person{Nick: "alice", Me: true, ID: identity.PeerID{1}}
	see := func(want ...string) {
		t.Helper()
		all := strings.Join(rows(s, l, 60, 12), "\n")
		for _, w := range want {
			if !strings.Contains(all, w) {
				t.Errorf("no %q in\n%s", w, all)
			}
		}
	}
	l.Pend(start, me, node.Say{Text: "one"})
	l.Pend(start, me, node.Say{Text: "one"})
	l.Pend(start, me, node.Say{Text: "waves", Action: true})
	see("    ⧗ one\n    ⧗ one", "⧗ alice waves")
	m := msg(1, "one")
	m.Mine, m.Here, m.Nick, m.Author = true, true, "alice", me.ID
	l.Add(node.Said{Message: m}, "alice", false)
	if len(l.entries) != 3 || l.pending != 2 {
		t.Errorf("%d entries, %d pending", len(l.entries), l.pending)
	}
	l.Deliver(node.Delivered{ID: m.ID, Copies: 1, All: true})
	see("⧗ one")
	l.Deliver(node.Delivered{ID: m.ID, Copies: 2})
	see(" ✓ one")
	l.Deliver(node.Delivered{ID: m.ID, Copies: 2, All: true})
	see("✓✓ one")
	l.Deliver(node.Delivered{ID: m.ID, Copies: 3})
	see("✓✓ one")
	l.Forget(node.Say{Text: "one"})
	l.Forget(node.Say{Text: "waves", Action: true})
	if len(l.entries) != 1 || l.pending != 0 {
		t.Errorf("%d entries, %d pending", len(l.entries), l.pending)
	}
	// What was ticked and is stranded by a fork loses its tick, whatever its look before; said again it goes.
	l.Deliver(node.Delivered{ID: m.ID})
	see(" ✗ one")
	l.Withdraw(m.ID)
	l.Withdraw(m.ID)
	if len(l.entries) != 0 || l.byID[m.ID] != nil {
		t.Errorf("%d entries", len(l.entries))
	}
	// What was said on another machine of this person's has no sign either: that machine counts.
	there := msg(2, "there")
	there.Mine, there.Author = true, me.ID
	l.Add(node.Said{Message: there}, "alice", false)
	see("      there")
	l.Withdraw(there.ID)
	// What was said in an earlier run has no sign: nobody counts its copies any more.
	old := msg(0, "old")
	old.Mine, old.Author = true, me.ID
	l.Add(node.Said{Message: old, History: true}, "alice", false)
	see("      old")
}

// However many come and go, one more takes no longer than the one before.
func TestPresenceFlood(t *testing.T) {
	l := newList()
	for i := range 3 * mostMoves {
		l.Presence(start, node.PeerChanged{State: node.Joined, Nick: fmt.Sprint("mallory", i), ID: identity.PeerID{byte(i), byte(i >> 8)}})
	}
	if len(l.entries) != 3 {
		t.Errorf("%d runs", len(l.entries))
	}
	for _, e := range l.entries {
		if len(e.moves) != mostMoves {
			t.Errorf("a run of %d", len(e.moves))
		}
	}
}

func TestPresence(t *testing.T) {
	l := newList()
	for _, p := range []struct {
		nick  string
		state node.PeerState
		want  string
	}{
		{"carol", node.Joined, "carol joined"},
		{"dave", node.Joined, "carol and dave joined"},
		{"erin", node.Left, "carol and dave joined, erin left"},
		{"frank", node.Joined, "carol, dave and frank joined, erin left"},
		{"gina", node.Joined, "carol, dave and 2 others joined, erin left"},
		{"gina", node.Left, "carol, dave and frank joined, erin left, gina came and went"},
		{"erin", node.Joined, "carol, dave and frank joined, gina came and went, erin left and returned"},
	} {
		l.Presence(start, node.PeerChanged{State: p.state, Nick: p.nick})
		if got := l.last().text; got != p.want || len(l.entries) != 1 {
			t.Errorf("%d entries, %q, want %q", len(l.entries), got, p.want)
		}
	}
}

func TestNamed(t *testing.T) {
	for text, want := range map[string]string{
		"alice":                  "[alice]",
		"hi @Alice, ALICE!":      "hi [@Alice], [ALICE]!",
		"malice alices alice_ x": "malice alices alice_ x",
		"漢alice alice漢":          "漢alice alice漢",
		"(alice)":                "([alice])",
		"":                       "",
		"al":                     "al",
	} {
		got := text
		for _, c := range slices.Backward(named(text, "alice")) {
			got = got[:c.start] + "[" + got[c.start:c.end] + "]" + got[c.end:]
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Memory is bounded at both ends, and what was let go comes back.
func TestLimit(t *testing.T) {
	s := screen(t, 40, 10)
	l := newList()
	l.limit = 100
	all := history(0, 1000)
	before := func(k node.Key) []node.Message {
		i := slices.IndexFunc(all, func(m node.Message) bool { return m.Key == k })
		if k == (node.Key{}) {
			i = len(all)
		}
		return all[max(i-30, 0):i]
	}
	for _, m := range all {
		l.Add(node.Said{Message: m}, "alice", false)
		if len(l.entries) > 110 || len(l.byID) != len(l.entries) {
			t.Fatalf("%d entries, %d ids", len(l.entries), len(l.byID))
		}
	}
	rows(s, l, 40, 10)
	pages := 0
	for pages < 60 {
		l.Page(-1)
		for w, wanted := l.Ask(); wanted; w, wanted = l.Ask() {
			if w.Kind != Older {
				t.Fatalf("%+v is wanted", w)
			}
			l.Take(w, before(w.Key), "alice")
			pages++
		}
		if len(l.entries) > 110 || len(l.byID) != len(l.entries) {
			t.Fatalf("%d entries, %d ids", len(l.entries), len(l.byID))
		}
		if top := rows(s, l, 40, 10); l.exhausted && strings.Contains(strings.Join(top, "\n"), "message 0") {
			break
		}
	}
	if !l.exhausted || !l.cutOff {
		t.Errorf("after %d pages: exhausted %v, cut off %v", pages, l.exhausted, l.cutOff)
	}
	l.Add(node.Said{Message: msg(1000, "news")}, "alice", true)
	if _, wanted := l.Ask(); l.below == 0 || wanted {
		t.Error("what arrives beyond the cut is counted, and not asked for yet")
	}
	l.Event(start, "note")
	l.End()
	w, wanted := l.Ask()
	if !wanted || w.Kind != Newest {
		t.Fatal("the newest are not wanted")
	}
	all = append(all, msg(1000, "news"))
	page := before(node.Key{})
	l.Add(node.Said{Message: msg(1001, "more news")}, "alice", true) // when the page was read already
	l.Take(w, page, "alice")
	if end := strings.Join(rows(s, l, 40, 10), "\n"); !strings.Contains(end, "more news") || !strings.Contains(end, "note") {
		t.Errorf("the end is\n%s", end)
	}
	if _, wanted := l.Ask(); wanted {
		t.Error("something is wanted at the end")
	}
}

func TestClear(t *testing.T) {
	s := screen(t, 40, 10)
	l := filled(50)
	rows(s, l, 40, 10)
	l.Clear()
	if got := strings.Join(rows(s, l, 40, 10), ""); got != "" {
		t.Errorf("%q is left", got)
	}
	if _, wanted := l.Ask(); wanted {
		t.Error("history comes back by itself")
	}
	l.Page(-1)
	if w, wanted := l.Ask(); !wanted || w.Kind != Older || w.Key != (node.Key{}) {
		t.Error("history does not come back by scrolling")
	}
}

// A withdrawn line leaves the view where it was: at the line that was on top, or the one before where it was that.
// What was cleared away is known to commands as it was, and as it becomes, whether it came back to the screen or not; where the newest were not on the screen nothing of it is the newest.
func TestClearedIsKnown(t *testing.T) {
	s, l := screen(t, 60, 10), newList()
	for _, m := range history(0, 6) {
		m.Mine = m.Nick == "bob"
		l.Add(node.Said{Message: m}, "alice", false)
	}
	known := func(want ...int) {
		t.Helper()
		var got []int
		for _, m := range l.Recent("#lobby", Limit) {
			got = append(got, int(m.Key.HLC)-1)
		}
		if !slices.Equal(got, want) {
			t.Errorf("known are %v, want %v", got, want)
		}
	}
	l.Clear()
	known(0, 1, 2, 3, 4, 5)
	if own := l.LastOwn(); own.ID != msg(3, "").ID {
		t.Errorf("the last own is %+v", own)
	}
	l.Add(node.Said{Message: msg(6, "six")}, "alice", false)
	changed := msg(1, "changed")
	changed.Redacted = true
	l.Change(changed, "alice", true)
	l.Withdraw(msg(2, "").ID)
	known(0, 1, 3, 4, 5, 6)
	if m := l.Recent("#lobby", Limit)[1]; !m.Redacted {
		t.Errorf("%+v", m)
	}
	l.put(history(4, 6), "alice", true) // as PgUp has it
	known(0, 1, 3, 4, 5, 6)
	l.Clear()
	known(0, 1, 3, 4, 5, 6)
	l.Hide(msg(0, "").Author)
	known(4, 5, 6)
	if m, ok := l.NewestWhere(func(Selected) bool { return true }); !ok || m.Text != "six" {
		t.Errorf("the newest is %+v", m)
	}
	rows(s, l, 60, 10)
	l.cutOff = true
	l.Clear()
	known()
	if !l.Cleared() {
		t.Error("it says that nothing was said")
	}
}

func TestWithdraw(t *testing.T) {
	l := newList()
	l.Resize(40, 4)
	for n := range 20 {
		l.Add(node.Said{Message: msg(n, fmt.Sprint("line ", n))}, "alice", n == 15)
	}
	l.Scroll(-8)
	top, _ := l.top()
	above, at := l.entries[top-1], l.entries[top]
	l.Withdraw(l.entries[top+2].id)
	if l.follow || l.anchor != at {
		t.Error("the view moved")
	}
	l.Withdraw(at.id)
	if l.follow || l.anchor != above {
		t.Error("the view did not go to the line before")
	}
	unread := l.unread
	after := l.entries[l.index(unread)+1]
	l.Withdraw(unread.id)
	if l.unread != after {
		t.Error("the line of what is new went with the first of it")
	}
	for len(l.entries) > 0 {
		l.Withdraw(l.entries[0].id)
	}
	if !l.follow || l.unread != nil {
		t.Error("an empty list does not follow")
	}
	// What is below the view and goes is not counted as new there.
	l = newList()
	l.Resize(40, 4)
	for n := range 20 {
		l.Add(node.Said{Message: msg(n, "line")}, "alice", false)
	}
	l.Scroll(-8)
	l.Add(node.Said{Message: msg(20, "below")}, "alice", true)
	l.Withdraw(msg(20, "").ID)
	l.Withdraw(l.entries[0].id)
	if l.below != 0 {
		t.Errorf("%d below", l.below)
	}
	// What is said again does not stand for what was typed in the same words just now.
	l.Pend(start, node.Person{Nick: "alice"}, node.Say{Text: "again"})
	m := msg(303, "again")
	m.Mine, m.Here, m.Again = true, true, message.ID{2}
	l.Add(node.Said{Message: m}, "alice", false)
	if l.pending != 1 {
		t.Errorf("%d pending", l.pending)
	}
}
