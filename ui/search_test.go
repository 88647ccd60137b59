package ui

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/transcript"
)

// hitOf is a hit of word in what somebody said n minutes before the morning.
func hitOf(word string, n int, room, who, text string) node.Hit {
	at := time.Date(2026, 11, 20, 9, -n, 0, 0, time.Local) // by the clock on the wall, also where summer time ended since
	h := node.Hit{Message: node.Message{Room: room, Kind: message.Text, Nick: who, Author: id(who), Text: text, At: at, Key: node.Key{HLC: uint64(at.UnixMilli()) << 16, Seq: 1}}}
	copy(h.ID[:], fmt.Sprintf("hit %012d", n))
	for i := 0; word != ""; {
		k := strings.Index(strings.ToLower(text[i:]), word)
		if k < 0 {
			break
		}
		i += k
		h.Spans = append(h.Spans, node.Span{Start: i, End: i + len(word)})
		i += len(word)
	}
	return h
}

func foxes() []node.Hit {
	return []node.Hit{
		hitOf("fox", 3, "#lobby", "bob", "the fox is back"),
		hitOf("fox", 70, "#build", "carol", "漢字 FOX 漢字 fox and so on, until the line is longer than there is room for, fox"),
		hitOf("fox", 24*60, "#lobby", "mal\x1b[31mory\u202e", "\x1b]0;x\afox\x1b[31m\nin two lines"),
		hitOf("fox", 3*24*60, "#lobby", "alice", strings.Repeat("a long way before it comes ", 8)+"the fox jumps "+strings.Repeat("over the dog ", 9)),
		hitOf("fox", 400*24*60, "#lobby", "dave", "fox"),
	}
}

func TestSearchGolden(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {40, 15}} {
		s := newStage(t, size[0], size[1], lobby(), Config{})
		morning(s)
		s.press("F3")
		s.want("─ search ─")
		s.press("fox")
		s.found.due = time.Time{}
		s.found.take("fox", node.Found{Hits: foxes(), Older: 9, Unseen: 1200}, nil, false)
		s.press("Down")
		s.golden(fmt.Sprintf("search-%dx%d", size[0], size[1]))
	}
	for _, c := range []struct {
		found node.Found
		err   error
		want  string
	}{
		{node.Found{}, nil, "nothing is found"},
		{node.Found{Hits: foxes()}, nil, "5 found"},
		{node.Found{Hits: foxes(), Older: 3}, nil, "5 found so far"},
		{node.Found{}, &node.Error{Text: "after:x is not a day", Hint: "try a day"}, "after:x is not a day; try a day"},
	} {
		s := newStage(t, 80, 24, lobby(), Config{})
		s.press("F3", "fox")
		s.want("looking")
		s.found.take("fox", c.found, c.err, false)
		s.draw()
		s.want(c.want)
	}
}

// Words that cannot be looked for leave nothing of what was found before them; where the same words fail once more it stays.
func TestSearchProblem(t *testing.T) {
	s := newStage(t, 80, 24, lobby(), Config{})
	s.press("F3", "fox")
	s.found.take("fox", node.Found{Hits: foxes()}, nil, false)
	s.found.take("fox", node.Found{}, errors.New("the disk is gone"), false)
	s.draw()
	s.want("the fox is back")
	s.press(" after:x")
	s.found.take("fox after:x", node.Found{}, &node.Error{Text: "after:x is not a day"}, false)
	s.draw()
	s.want("after:x is not a day")
	s.wantNot("the fox is back")
}

// longRoom is a room of n lines a minute apart, read by place.
func longRoom(f *fake, n int) (all []node.Message) {
	for i := range n {
		all = append(all, hitOf("", n-i, "#build", "bob", fmt.Sprintf("line %d.", i)).Message)
	}
	f.page = func(room string, k node.Key, max int) ([]node.Message, error) {
		if room != "#build" {
			return nil, nil
		}
		at := len(all)
		if k.HLC != 0 {
			at = slices.IndexFunc(all, func(m node.Message) bool { return m.Key.HLC >= k.HLC })
		}
		return slices.Clone(all[at-min(at, max) : at]), nil
	}
	f.after = func(room string, k node.Key, max int) ([]node.Message, error) {
		at := slices.IndexFunc(all, func(m node.Message) bool { return m.Key.HLC > k.HLC || m.Key.HLC == k.HLC && m.Key.Seq > k.Seq })
		if at < 0 || room != "#build" {
			return nil, nil
		}
		return slices.Clone(all[at:min(at+max, len(all))]), nil
	}
	return all
}

// Somebody looks for a word while it is typed, goes to a hit far back in another room, reads on from there to the newest, and looks again.
func TestSearchStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lobby()
		all := longRoom(f, 3000)
		f.search = func(ctx context.Context, query string, older int64, max int) (node.Found, error) {
			if query == "slow" {
				<-ctx.Done()
				return node.Found{}, ctx.Err()
			}
			var found node.Found
			for i := 2999; i >= 0; i-- {
				if m := all[i]; strings.Contains(m.Text, query) && (older == 0 || int64(i) < older) {
					if len(found.Hits) == max {
						break
					}
					found.Hits = append(found.Hits, node.Hit{Message: m, Spans: []node.Span{{Start: 0, End: len(query)}}})
					found.Older = int64(i)
				}
			}
			if len(found.Hits) < max {
				found.Older = 0
			}
			return found, nil
		}
		l := run(t, f, Config{})
		l.press("F3", "l")
		time.Sleep(searchRest / 2)
		l.press("ine 1500")
		l.see("looking")
		time.Sleep(searchRest)
		l.see("1 found")
		l.see("line 1500.")
		if !slices.Equal(f.searched, []string{"line 1500"}) {
			t.Errorf("looked for %q", f.searched)
		}
		l.press("Enter")
		l.see("line 1500.")
		l.see("line 1499.")
		l.see("#build ·")
		l.see("Esc back")
		l.press("Esc")
		for i := 0; i < 400 && !strings.Contains(strings.Join(l.wait(), "\n"), "line 2999."); i++ {
			l.press("PgDn")
		}
		l.see("line 2999.")
		l.press("Home")
		l.see("line 0.")
		l.press("PgUp")
		l.see("line 0.")
		l.press("End")
		l.see("line 2999.")

		// Opened again it is as it was; what is typed then is a new search. A search that is going on ends when something else is looked for, or nothing.
		l.press("F3")
		time.Sleep(searchRest)
		l.see("line 1500.")
		l.press("slow")
		time.Sleep(2 * searchRest)
		l.see("looking")
		l.press("Ctrl-U", "line")
		time.Sleep(searchRest)
		l.see("50 found so far")
		l.press("End")
		l.press("PgDn", "PgDn", "PgDn", "PgDn", "PgDn")
		l.see("100 found so far")
		l.press("Ctrl-U")
		time.Sleep(searchRest)
		l.see("after:2026-11-20")
		l.press("slow")
		time.Sleep(2 * searchRest)
		l.press("Esc")
		l.see("> Message #build")

		l.press("/search line 42", "Enter")
		time.Sleep(searchRest)
		l.see("11 found")
		l.stop()
		l.ended(nil)
	})
}

// Who types on and presses Enter at once is not led to what other words have found.
func TestSearchEnterTooSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lobby()
		longRoom(f, 100)
		f.search = func(ctx context.Context, query string, older int64, max int) (node.Found, error) {
			return node.Found{Hits: []node.Hit{hitOf("", 1, map[string]string{"fox": "#lobby", "line": "#build"}[query], "bob", query)}}, nil
		}
		l := run(t, f, Config{})
		l.press("F3", "fox")
		time.Sleep(searchRest)
		l.see("bob · #lobby")
		l.press("Esc", "F3", "line", "Enter")
		l.see("bob · #build")
		l.press("Enter")
		l.see("#build · 4 here")
		l.stop()
		l.ended(nil)
	})
}

// A room that the user is not in is joined before what was said there is shown: what is said back would be answered unseen.
func TestSearchWhereNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lobby()
		f.search = func(ctx context.Context, query string, older int64, max int) (node.Found, error) {
			return node.Found{Hits: []node.Hit{hitOf("fox", 3, "#den", "bob", "fox")}}, nil
		}
		f.do = func(node.Command) error { return &node.Error{Text: "you are in as many rooms as there can be"} }
		l := run(t, f, Config{})
		l.press("/search fox", "Enter")
		l.see("1 found")
		l.press("Enter")
		l.see("you are in as many rooms as there can be")
		l.see("> Message #lobby")
		f.mu.Lock()
		f.do = func(node.Command) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.snapshot.Rooms = append(f.snapshot.Rooms, node.Room{Name: "#den", ID: message.Room("den"), Joined: true})
			return nil
		}
		f.mu.Unlock()
		l.press("/search fox", "Enter")
		l.see("1 found")
		l.press("Enter")
		l.see("#den · 4 here")
		l.press("Esc", "F3")
		l.see("1 found")
		l.press("Enter")
		l.see("#den · 4 here")
		l.stop()
		l.ended(nil)
		if want := []node.Command{node.Join{Room: "#den"}, node.Join{Room: "#den"}}; !slices.Equal(f.done, want) {
			t.Errorf("the node was told %+v, want %+v", f.done, want)
		}
	})
}

// What the index has not come to yet is looked for again until it has.
func TestSearchAgainWhileIndexing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lobby()
		left := int64(3)
		f.search = func(ctx context.Context, query string, older int64, max int) (node.Found, error) {
			if left--; left == 0 {
				return node.Found{Hits: foxes()[:1]}, nil
			}
			return node.Found{Unseen: left}, nil
		}
		l := run(t, f, Config{})
		l.press("/search fox", "Enter")
		l.see("2 messages are yet to be indexed")
		time.Sleep(2 * searchAgain)
		l.see("1 found")
		time.Sleep(10 * searchAgain)
		if synctest.Wait(); left != 0 {
			t.Errorf("looked %d times more", -left)
		}
		l.stop()
		l.ended(nil)
	})
}

// The first line of a room is a key away, and the way up from the newest does not wait for the node.
func TestFirstLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lobby()
		longRoom(f, 5000)
		l := run(t, f, Config{})
		l.press("Alt-2")
		l.see("line 4999.")
		for range 30 {
			l.press("PgUp")
			l.wait()
		}
		l.press("Home")
		l.see("line 0.")
		l.press("Ctrl-N", "Ctrl-P")
		l.see("line 0.")
		if n := len(f.pages); n > 30*20/transcript.PageSize+4 {
			t.Errorf("%d pages were read", n)
		}
		l.stop()
		l.ended(nil)
	})
}

// Far up in a room a command is about the message that was chosen there, and one that names none about the newest of all, not of those that are on the screen.
func TestCommandsFarUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := lobby()
		all := longRoom(f, 3000)
		for i := range all {
			binary.BigEndian.PutUint32(all[i].ID[:], uint32(i+1)*2654435761) // of different beginnings
			if i%10 == 0 {
				all[i].Mine, all[i].Author, all[i].Nick = true, id("alice"), "alice"
			}
		}
		l := run(t, f, Config{})
		l.press("Alt-2")
		l.see("line 2999.")
		l.press("Home")
		l.see("line 0.")
		l.press("/delete", "Enter")
		l.see("which message?")
		l.see("line 2999.")
		l.press("Enter")
		l.wait()

		for range 120 {
			l.press("PgUp")
			l.wait()
		}
		l.press("Tab", "k")
		l.see("▸line 1301.")
		l.press("r", "indeed", "Enter")
		l.wait()
		want := []node.Command{node.Redact{Target: all[2990].Ref()}, node.Reply{To: all[1301].Ref(), Text: "indeed"}}
		if f.mu.Lock(); !slices.Equal(f.done, want) {
			t.Errorf("the node was told %+v, want %+v", f.done, want)
		}
		f.mu.Unlock()
		l.stop()
		l.ended(nil)
	})
}
