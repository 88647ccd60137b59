package transcript

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"earshot/node"
	"earshot/node/message"
)

// A told is a room's history, and gives pages of it.
type told []node.Message

func (h told) page(w Want) []node.Message {
	after := func(k node.Key) int {
		i := slices.IndexFunc(h, func(m node.Message) bool { return less(k, m.Key) })
		if i < 0 {
			i = len(h)
		}
		return i
	}
	at := len(h)
	switch w.Kind {
	case Older, Around:
		at = slices.IndexFunc(h, func(m node.Message) bool { return m.Key == w.Key })
	case Newer:
		at = after(w.Key)
	case First:
		at = 0
	}
	switch w.Kind {
	case Older, Newest:
		return h[max(at-PageSize, 0):at]
	case Around:
		return h[max(at-PageSize/2, 0):min(at+PageSize/2, len(h))]
	}
	return h[at:min(at+PageSize, len(h))]
}

// settle answers what is asked until nothing is.
func settle(l *List, h told) {
	for w, ok := l.Ask(); ok; w, ok = l.Ask() {
		l.Take(w, h.page(w), "alice")
	}
}

// Wherever the user goes in a long history, and whatever is said meanwhile, what is kept is a stretch of it without a gap, and within the limit; the first line is the first and the
// last the newest.
func TestAnywhere(t *testing.T) {
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		s := screen(t, 40, 10)
		l := newList()
		l.limit = 600
		h := told(history(0, 3000))
		for _, m := range h[2800:] {
			l.Add(node.Said{Message: m, History: true}, "alice", false)
		}
		var w Want
		asked := false
		say := func() {
			m := msg(len(h), fmt.Sprint("message ", len(h)))
			h = append(h, m)
			l.Add(node.Said{Message: m}, "alice", false)
		}
		for range 300 {
			rows(s, l, 40, 10)
			switch rnd.IntN(8) {
			case 0:
				l.Home()
			case 1:
				l.End()
			case 2, 3:
				l.Page(-rnd.IntN(8))
			case 4, 5:
				l.Page(rnd.IntN(8))
			case 6:
				m := h[rnd.IntN(len(h))]
				l.Show(m.ID, m.Key)
				if !asked {
					settle(l, h)
					if got := strings.Join(rows(s, l, 40, 10), "\n"); !strings.Contains(got, strings.Fields(m.Text)[0]+" "+strings.Fields(m.Text)[1]) {
						t.Fatalf("seed %d: %q is not shown:\n%s", seed, m.Text, got)
					}
					if c, ok := l.Selected(); !ok || c.ID != m.ID {
						t.Fatalf("seed %d: another is chosen", seed)
					}
				}
			case 7:
				say()
			}
			if asked && rnd.IntN(3) == 0 {
				page := h.page(w)
				if rnd.IntN(2) == 0 {
					say()
				}
				l.Take(w, page, "alice")
				asked = false
			}
			if !asked {
				w, asked = l.Ask()
			}
			if len(l.entries) > 600+31+1 || len(l.byID) != len(l.entries) {
				t.Fatalf("seed %d: %d entries, %d ids", seed, len(l.entries), len(l.byID))
			}
			if len(l.entries) == 0 {
				continue
			}
			first := slices.IndexFunc(h, func(m node.Message) bool { return m.ID == l.entries[0].id })
			for i, e := range l.entries {
				if h[first+i].ID != e.id {
					t.Fatalf("seed %d: after message %d comes %q", seed, first+i-1, e.text)
				}
			}
			if !l.cutOff && first+len(l.entries) != len(h) {
				t.Fatalf("seed %d: the end is message %d of %d", seed, first+len(l.entries), len(h))
			}
		}
		if asked {
			l.Take(w, h.page(w), "alice")
		}
		l.Home()
		settle(l, h)
		if got := rows(s, l, 40, 10); !strings.Contains(strings.Join(got, "\n"), "message 0") {
			t.Errorf("seed %d: the first line is not at the top:\n%s", seed, strings.Join(got, "\n"))
		}
		l.Scroll(3)
		for range 2 * len(h) { // all the way down, row by row
			if l.Scroll(1); l.follow {
				break
			}
			settle(l, h)
		}
		if got := strings.Join(rows(s, l, 40, 10), "\n"); !l.follow || !strings.Contains(got, h[len(h)-1].Text) {
			t.Errorf("seed %d: the newest is not at the end:\n%s", seed, got)
		}
		l.Home()
		settle(l, h)
		l.End()
		settle(l, h)
		if got := strings.Join(rows(s, l, 40, 10), "\n"); !strings.Contains(got, h[len(h)-1].Text) {
			t.Errorf("seed %d: End does not show the newest:\n%s", seed, got)
		}
	}
}

// Going up without a rest the user never waits: the page before is there before its first line is reached, where it takes as long as three screens.
func TestPagesComeInTime(t *testing.T) {
	s := screen(t, 40, 24)
	l := newList()
	h := told(history(0, 5000))
	for _, m := range h[4500:] {
		l.Add(node.Said{Message: m, History: true}, "alice", false)
	}
	rows(s, l, 40, 24)
	var w Want
	due := 0
	for at := 0; ; at++ {
		before := rows(s, l, 40, 24)
		l.Page(-1)
		if due == 0 {
			var ok bool
			if w, ok = l.Ask(); ok {
				due = at + 3
			}
		}
		if due == at && due > 0 {
			l.Take(w, h.page(w), "alice")
			due = 0
		}
		if slices.Equal(rows(s, l, 40, 24), before) {
			break
		}
	}
	if !l.exhausted || l.entries[0].id != h[0].ID {
		t.Errorf("stopped at %q", l.entries[0].text)
	}
}

// Where the end is in view of what is shown with a page around it, what is said next is in view too.
func TestEndInView(t *testing.T) {
	for _, c := range []struct {
		of, at int
		want   bool
	}{{5, 2, true}, {3000, 2998, true}, {3000, 1500, false}} {
		s, l, h := screen(t, 40, 20), newList(), told(history(0, c.of))
		rows(s, l, 40, 20)
		l.Show(h[c.at].ID, h[c.at].Key)
		settle(l, h)
		if l.Following() != c.want {
			t.Errorf("at %d of %d following is %v:\n%s", c.at, c.of, l.Following(), strings.Join(rows(s, l, 40, 20), "\n"))
		}
		if m, ok := l.Selected(); !ok || m.ID != h[c.at].ID {
			t.Errorf("at %d of %d another is chosen", c.at, c.of)
		}
	}
}

// What cannot be read is not asked for at once again; an answer to what is not asked for any more is let go.
func TestFail(t *testing.T) {
	s := screen(t, 40, 10)
	l := newList()
	for _, m := range history(100, 150) {
		l.Add(node.Said{Message: m, History: true}, "alice", false)
	}
	rows(s, l, 40, 10)
	l.Page(-3)
	w, ok := l.Ask()
	if !ok || w.Kind != Older {
		t.Fatal(w, ok)
	}
	l.Fail(w)
	if w, ok := l.Ask(); ok {
		t.Errorf("%+v is asked for again", w)
	}
	l.Show(message.ID{9}, node.Key{HLC: 1})
	if w, ok = l.Ask(); !ok || w.Kind != Around {
		t.Fatal(w, ok)
	}
	l.Clear()
	l.Take(w, history(0, 10), "alice")
	if len(l.entries) != 0 {
		t.Error("it took what it had not asked for")
	}
}

// BenchmarkUp goes up by a page in a full list, with what it takes to take in the pages that come.
func BenchmarkUp(b *testing.B) {
	s := screen(b, 80, 24)
	l := newList()
	h := told(history(0, 100_000))
	for _, m := range h[len(h)-Limit:] {
		l.Add(node.Said{Message: m, History: true}, "alice", false)
	}
	l.Home()
	l.goal = nil
	for b.Loop() {
		l.Page(-1)
		if w, ok := l.Ask(); ok {
			l.Take(w, h.page(w), "alice")
		}
		rows(s, l, 80, 24)
		if l.exhausted {
			l.End()
		}
	}
}
