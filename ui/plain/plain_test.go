package plain

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/message"
	"earshot/ui/command"
	"earshot/ui/look"
)

// feed stands in for a node: what is said comes back as durable at once, and on two machines after copyAfter where somebody is there.
type feed struct {
	events    chan []node.Event
	did       []node.Command
	refuse    func(node.Command) error
	when      []time.Time   // each was done
	stuck     chan struct{} // Do waits for it, where it is not nil
	snapshot  node.Snapshot
	bounded   bool          // Console was asked for
	sayAfter  time.Duration // how long it takes to come back
	copyAfter time.Duration // of an edit twice that; 0: nobody is there
	fullAfter time.Duration // how long it takes to catch up; 0: it does not
	underWay  atomic.Int64
	after     func(room string, k node.Key, max int) ([]node.Message, error)
	search    func(query string, older int64, max int) (node.Found, error)
}

func (f *feed) Snapshot() node.Snapshot { return f.snapshot }
func (f *feed) Whois(person string) (node.Whois, error) {
	return node.Whois{Person: f.snapshot.Me, Code: "EARSHOT:VERIFY:00"}, nil
}
func (f *feed) Page(string, node.Key, int) ([]node.Message, error) {
	return []node.Message{{Kind: message.Text, Room: "#lobby", Nick: "bob", Text: "long ago"}}, nil
}
func (f *feed) After(room string, k node.Key, max int) ([]node.Message, error) {
	if f.after == nil {
		return nil, nil
	}
	return f.after(room, k, max)
}
func (f *feed) Search(ctx context.Context, query string, older int64, max int) (node.Found, error) {
	return f.search(query, older, max)
}
func (f *feed) Members(room string) ([]node.Member, error) {
	return []node.Member{{Named: node.Named{Nick: "bob"}, Owner: true}}, nil
}
func (f *feed) Events(context.Context, int) <-chan []node.Event { return f.events }
func (f *feed) Console(context.Context, int) <-chan []node.Event {
	f.bounded = true
	return f.events
}
func (f *feed) tell(events ...node.Event) { f.events <- events }

func (f *feed) Do(ctx context.Context, c node.Command) error {
	if f.stuck != nil {
		select {
		case <-f.stuck:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.did, f.when = append(f.did, c), append(f.when, time.Now())
	if f.refuse != nil && f.refuse(c) != nil {
		return f.refuse(c)
	}
	if _, ok := c.(node.Edit); ok {
		f.deliver(message.ID{byte(len(f.did))}, 2*f.copyAfter)
	}
	if s, ok := c.(node.Say); ok {
		m := node.Said{Message: node.Message{ID: message.ID{byte(len(f.did))}, Room: s.Room, Nick: "me", Text: s.Text, At: time.Now(), Mine: true, Here: true}}
		if f.sayAfter > 0 {
			time.AfterFunc(f.sayAfter, func() { f.tell(m) })
		} else {
			f.tell(m)
		}
		f.deliver(m.ID, f.copyAfter)
	}
	return nil
}

func (f *feed) deliver(id message.ID, after time.Duration) {
	f.underWay.Add(1)
	if after > 0 {
		time.AfterFunc(after, func() {
			f.underWay.Add(-1)
			f.tell(node.Delivered{ID: id, Copies: 2})
		})
	}
}

func (f *feed) UnderWay() int { return int(f.underWay.Load()) }

// begun returns the events of a node that has told its stored history.
func begun() chan []node.Event {
	events := make(chan []node.Event, 200)
	events <- []node.Event{node.Ready{}, message1(func(s *node.Said) { s.History = true }), node.HubChanged{State: node.Searching}}
	return events
}

// run runs until it ends by itself, and returns what was printed, how long it took and how it ended.
func run(t *testing.T, c Config, f *feed) (out string, took time.Duration, err error) {
	t.Helper()
	var b bytes.Buffer
	f.events = begun()
	if f.fullAfter > 0 {
		time.AfterFunc(f.fullAfter, func() { f.tell(node.CaughtUp{}) })
	}
	c.Node, c.Out = f, &b
	start := time.Now()
	err = Run(t.Context(), c)
	return b.String(), time.Since(start), err
}

// fullDisk takes what does not hold a word.
type fullDisk struct{ word string }

func (d fullDisk) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(d.word)) {
		return 0, syscall.ENOSPC
	}
	return len(b), nil
}

// The disk may become full with the last that is printed.
func TestLastLineFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{events: begun(), sayAfter: time.Second, copyAfter: time.Millisecond}
		err := Run(t.Context(), Config{Node: f, In: strings.NewReader("last"), Out: fullDisk{"me: last"}, Linger: 5 * time.Second})
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestSayAndLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{copyAfter: 2 * time.Second}
		out, took, err := run(t, Config{In: strings.NewReader("one\n\n/me waves\r\n/join #build\nthree"), Linger: 5 * time.Second}, f)
		if err != nil || took != 2*time.Second {
			t.Errorf("ended after %v with %v, want right after the copies, at 2s, with none", took, err)
		}
		want := []node.Command{node.Say{Room: "#lobby", Text: "one"}, node.Say{Room: "#lobby", Text: "waves", Action: true}, node.Join{Room: "#build"}, node.Say{Room: "#build", Text: "three"}}
		if len(f.did) != len(want) {
			t.Fatalf("did %v", f.did)
		}
		for i := range want {
			if f.did[i] != want[i] {
				t.Errorf("did %v, want %v", f.did[i], want[i])
			}
		}
		if !strings.Contains(out, "me: three\n") || strings.Contains(out, "#build me: three") {
			t.Errorf("the room one is in is named, or the line is missing:\n%s", out)
		}
	})
}

// What cannot be seen makes neither text of a command nor another command of it.
func TestUnseenInCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{copyAfter: time.Second}
		if out, _, err := run(t, Config{In: strings.NewReader("\ufeff/msg bob for you alone\n\u200b/m\x00e waves\n"), Linger: 5 * time.Second}, f); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		if want := []node.Command{node.Say{Room: "@bob", Text: "for you alone"}, node.Say{Room: "#lobby", Text: "waves", Action: true}}; !slices.Equal(f.did, want) {
			t.Errorf("did %v", f.did)
		}
	})
}

func TestNobodyThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, took, err := run(t, Config{In: strings.NewReader("one\n"), Linger: 5 * time.Second}, &feed{})
		if !errors.Is(err, ErrNobody) || took != 5*time.Second {
			t.Errorf("ended after %v with %v, want 5s and ErrNobody", took, err)
		}
	})
}

func TestSomebodyOnThisMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // two profiles share a disk, so there never are two copies
		in, w := io.Pipe()
		f := &feed{events: begun()}
		go func() {
			f.tell(node.PeerChanged{State: node.Joined, Nick: "bob", Peers: 2})
			io.WriteString(w, "one\n")
			w.Close()
		}()
		start := time.Now()
		err := Run(t.Context(), Config{Node: f, In: in, Out: io.Discard, Linger: 5 * time.Second})
		if took := time.Since(start); err != nil || took != 5*time.Second {
			t.Errorf("ended after %v with %v, want 5s and none", took, err)
		}
	})
}

// What is changed is waited for like what is said.
func TestEditAndLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, took, err := run(t, Config{In: strings.NewReader("one\n/edit last two\n"), Linger: 5 * time.Second}, &feed{fullAfter: 1, copyAfter: 2 * time.Second})
		if err != nil || took.Round(time.Second) != 4*time.Second {
			t.Errorf("ended after %v with %v, want right after the edit's copies, at 4s, with none", took, err)
		}
	})
}

// What a script says about a message waits for those that the others have.
func TestFullFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{fullAfter: time.Second, copyAfter: time.Second}
		begun := time.Now()
		if _, _, err := run(t, Config{In: strings.NewReader("one\n/edit last two\n"), Linger: 5 * time.Second}, f); err != nil || len(f.when) != 2 || f.when[0] != begun || f.when[1] != begun.Add(time.Second) {
			t.Errorf("did %v at %v, %v", f.did, f.when, err)
		}
	})
}

func TestNothingSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, took, err := run(t, Config{In: strings.NewReader("/who\n"), Linger: 5 * time.Second}, &feed{}); err != nil || took != 0 {
			t.Errorf("ended after %v with %v, want at once with none", took, err)
		}
	})
}

// TestHistoryFirst: nothing is said before the stored history has been told, for it might be taken for that.
func TestHistoryFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{events: make(chan []node.Event)}
		ended := make(chan error)
		go func() { ended <- Run(t.Context(), Config{Node: f, In: strings.NewReader("one\n"), Out: io.Discard}) }()
		f.tell(node.Ready{})
		f.tell(message1(func(s *node.Said) { s.History = true }))
		synctest.Wait()
		if len(f.did) > 0 {
			t.Errorf("did %v already", f.did)
		}
		f.tell(node.HubChanged{State: node.Searching})
		if err := <-ended; err != nil || len(f.did) != 1 {
			t.Errorf("ended with %v, having done %v", err, f.did)
		}
	})
}

// What became of a message is news once: what it is printed with is not told again, nor what was told of it, and of a message that comes while catching up only as it is by then.
func TestChangedBefore(t *testing.T) {
	changed := func(text string, likes int) node.Message {
		m := message1(nil).Message
		if m.Edited = text != ""; m.Edited {
			m.Text = text
		}
		if likes > 0 {
			m.Reactions = []node.Reaction{{Emoji: "👍", Count: likes}}
		}
		return m
	}
	edited := func(text string) node.Event { return node.Edited{Message: changed(text, 1)} }
	liked := func(likes int) node.Event {
		return node.Reacted{Message: changed("two", likes), Emoji: "👍", By: "carol", On: true}
	}
	deleted := node.Redacted{Message: changed("", 0)}
	deleted.Redacted = true
	other := node.Reacted{Message: changed("", 1), Emoji: "👍", By: "dave", On: true}
	other.ID = message.ID{9}
	f := &feed{events: make(chan []node.Event, 1)}
	f.tell(node.Ready{}, node.Said{Message: changed("two", 1), History: true}, edited("two"), liked(1), liked(2), liked(2), other, node.Notice{Text: "caught up"}, node.CaughtUp{},
		edited("two"), edited("three"), edited("three"), liked(1), liked(1), other, deleted, deleted)
	close(f.events)
	var b bytes.Buffer
	if err := Run(t.Context(), Config{Node: f, Out: &b}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		for _, words := range []string{"caught up", "two (edited) [👍 1]", "to: two", "to: three", "carol reacts", "dave reacts", "bob deleted"} {
			if strings.Contains(line, words) {
				got = append(got, words)
			}
		}
	}
	if want := []string{"two (edited) [👍 1]", "carol reacts", "carol reacts", "caught up", "to: three", "carol reacts", "carol reacts", "dave reacts", "bob deleted"}; !slices.Equal(got, want) {
		t.Errorf("printed %q\n%s", got, &b)
	}
}

// A script may end with /quit: what it said is waited for as at the end of its input. A person leaves at once.
func TestQuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			Config
			copyAfter, took time.Duration
			want            error
		}{
			{Config{Typed: true}, 0, 0, nil},
			{Config{Linger: 5 * time.Second}, time.Second, time.Second, nil},
			{Config{Linger: 5 * time.Second}, 0, 5 * time.Second, ErrNobody},
			{Config{Linger: 5 * time.Second, JSON: true}, time.Second, time.Second, nil},
		} {
			in, w := io.Pipe() // never ends
			go io.WriteString(w, "one\n/quit\ntwo\n")
			f := &feed{copyAfter: c.copyAfter}
			c.In = in
			if _, took, err := run(t, c.Config, f); !errors.Is(err, c.want) || took != c.took || len(f.did) != 1 {
				t.Errorf("%+v: ended after %v with %v having done %v", c, took, err, f.did)
			}
			in.Close()
		}
	})
}

// A command about the newest message is about what was said in the line before it, however long that takes to come back; it does not wait for ever.
func TestLast(t *testing.T) {
	for after, want := range map[time.Duration]int{0: 2, time.Second: 2, time.Minute: 1} {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{fullAfter: 1, sayAfter: after}
			out, took, err := run(t, Config{In: strings.NewReader("one\n/edit last two\n"), Linger: 5 * time.Second}, f)
			if len(f.did) != want || want == 2 && f.did[1] != (node.Edit{Target: message.Ref{ID: message.ID{1}}, Text: "two"}) || took > 10*time.Second {
				t.Errorf("where it takes %v: did %v in %v, %v\n%s", after, f.did, took, err, out)
			}
		})
	}
}

func TestErrorsAreNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := "/hlep\n" + strings.Repeat("x", message.MaxText+1) + "\n" + strings.Repeat("y", 1<<20) + "\nlast\n"
		f := &feed{copyAfter: time.Millisecond}
		out, _, err := run(t, Config{In: strings.NewReader(in), JSON: true, Linger: time.Second}, f)
		if err != nil {
			t.Fatal(err)
		}
		_, out, _ = strings.Cut(out, `"searching"`) // what had begun before
		lines := strings.Split(strings.TrimSpace(out), "\n")[1:]
		for i, want := range []string{`"hint":"did you mean /help?"`, `"text":"this has 4097 bytes and`, `"text":"a line of 1048577 bytes was not said`, `"text":"last"`, `"event":"delivery"`} {
			if i >= len(lines) || !strings.Contains(lines[i], want) {
				t.Errorf("line %d is not %s:\n%s", i, want, out)
			}
		}
		if len(f.did) != 1 {
			t.Errorf("did %d things, want only the last line said", len(f.did))
		}
	})
}

// A script learns by how it ends that not every line was obeyed, wherever the others went.
func TestUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for in, want := range map[string]error{
			"/etc/passwd has changed\n":  ErrUndone,
			"/msg bob done\nand so on\n": ErrUndone,
			"/msg bob done\n/quit\n":     ErrUndone,
			"/msg bob done\n/who":        ErrUndone,
			"//etc/passwd has changed\n": nil,
			"/who\n/quit\n":              nil,
		} {
			f := &feed{copyAfter: time.Millisecond, refuse: func(c node.Command) error {
				if s, ok := c.(node.Say); ok && s.Room == "@bob" {
					return &node.Error{Text: "nobody is called bob"}
				}
				return nil
			}}
			if out, _, err := run(t, Config{In: strings.NewReader(in), Linger: 5 * time.Second}, f); !errors.Is(err, want) {
				t.Errorf("%q ended with %v, want %v:\n%s", in, err, want, out)
			}
			if _, _, err := run(t, Config{In: strings.NewReader(in), Typed: true}, f); err != nil {
				t.Errorf("%q, typed, ended with %v", in, err)
			}
		}
	})
}

// While catching up it is told, too, that a reaction was taken back of which it was told that it came, and that it came again.
func TestReactionsWhileCatchingUp(t *testing.T) {
	reacted := func(on bool) node.Event {
		m := message1(nil).Message
		if on {
			m.Reactions = []node.Reaction{{Emoji: "👍", Count: 1}}
		}
		return node.Reacted{Message: m, Emoji: "👍", By: "carol", On: on}
	}
	for _, printed := range []bool{false, true} {
		said := reacted(printed).(node.Reacted).Message
		f := &feed{events: make(chan []node.Event, 1)}
		f.tell(node.Ready{}, node.Said{Message: said, History: true}, reacted(printed), reacted(!printed), reacted(printed), reacted(!printed))
		close(f.events)
		var b bytes.Buffer
		if err := Run(t.Context(), Config{Node: f, Out: &b}); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(b.String(), "carol reacts") + strings.Count(b.String(), "carol takes"); n != 3 {
			t.Errorf("%d of 3 changes are told:\n%s", n, &b)
		}
	}
}

// What another version let one react with can be taken back though others reacted since.
func TestReactionTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := message1(nil).Message
		m.Reactions = []node.Reaction{{Emoji: "lol", Count: 1, Mine: true}}
		liked := m
		liked.Reactions = append(slices.Clip(m.Reactions), node.Reaction{Emoji: "👍", Count: 1})
		f := &feed{events: make(chan []node.Event, 1)}
		f.tell(node.Ready{}, node.Said{Message: m, History: true}, node.CaughtUp{}, node.Reacted{Message: liked, Emoji: "👍", By: "carol", On: true})
		var b bytes.Buffer
		err := Run(t.Context(), Config{Node: f, In: strings.NewReader("/react last lol\n"), Out: &b})
		if want := (node.React{Target: m.Ref(), Emoji: "lol"}); err != nil || !slices.Contains(f.did, node.Command(want)) {
			t.Errorf("ended with %v, having done %v:\n%s", err, f.did, &b)
		}
	})
}

// An output that takes nothing any more does not keep Run from ending, but from printing.
func TestStuckOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		unread, out := io.Pipe()
		f, ended := &feed{events: begun()}, make(chan error)
		go func() { ended <- Run(ctx, Config{Node: f, In: strings.NewReader("/help\n"), Out: out}) }()
		synctest.Wait()
		time.Sleep(time.Hour)
		began := time.Now()
		end()
		if err := <-ended; !errors.Is(err, context.Canceled) || time.Since(began) > 2*endWithin {
			t.Errorf("ended after %v with %v", time.Since(began), err)
		}
		unread.Close()
	})
}

// TestHoldsInputUp: while the author's rate is used up, lines stay with who writes them.
func TestHoldsInputUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, w := io.Pipe()
		wrote := 0
		go func() {
			for range 100 {
				if _, err := io.WriteString(w, strings.Repeat("z", maxLine/2)+"\n"); err != nil {
					return
				}
				wrote++
			}
		}()
		f := &feed{events: begun(), stuck: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- Run(ctx, Config{Node: f, In: in, Out: io.Discard}) }()
		synctest.Wait()
		if wrote > 6 { // one being obeyed, one read, some in the buffer
			t.Errorf("%d lines were taken while the first was not obeyed", wrote)
		}
		close(f.stuck)
		synctest.Wait()
		if wrote != 100 || len(f.did) != 100 {
			t.Errorf("then %d lines were taken and %d obeyed, want 100", wrote, len(f.did))
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		in.Close()
	})
}

func TestServerConsole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{events: begun()}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var out bytes.Buffer
		start := time.Now()
		if err := Run(ctx, Config{Node: f, In: strings.NewReader("hello\n"), Out: &out, ServerOnly: true}); err != nil {
			t.Fatal(err)
		}
		if len(f.did) > 0 || !strings.Contains(out.String(), "says nothing") || time.Since(start) != time.Minute {
			t.Errorf("did %v, printed %q, ended after %v", f.did, out.String(), time.Since(start))
		}
	})
}

// On the console of a box one sees nobody's words, those of a topic either, and goes nowhere, for nothing can be said there.
func TestServerConsoleWords(t *testing.T) {
	const says, shows = "* a server-only box says nothing", "* a server-only box shows nobody's words"
	for in, want := range map[string]string{"/topic": shows, "/topic new": says, "/query bob": says, "/query bob hi": says, "/join #build": says, "/rooms": "  #lobby  joined\n", "/mute #lobby": "asks for no attention"} {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{snapshot: node.Snapshot{Rooms: []node.Room{{Name: command.Lobby, Joined: true, Topic: node.Topic{Text: "the secret plan", Nick: "bob"}}}}}
			out, _, err := run(t, Config{In: strings.NewReader(in + "\n/quit\n"), ServerOnly: true}, f)
			if err != nil || !strings.Contains(out, want) || strings.Contains(out, "secret") || strings.Contains(out, "what you type") || (want == says && len(f.did) > 0) {
				t.Errorf("%s: %v, did %v\n%s", in, err, f.did, out)
			}
		})
	}
}

// What a box prints for people is bounded; programs, and who chats, get all.
func TestConsole(t *testing.T) {
	for _, c := range []Config{{ServerOnly: true}, {ServerOnly: true, JSON: true}, {}, {JSON: true}} {
		f := &feed{events: make(chan []node.Event)}
		close(f.events)
		c.Node, c.Out = f, io.Discard
		if err := Run(t.Context(), c); err != nil || f.bounded != (c.ServerOnly && !c.JSON) {
			t.Errorf("%+v: bounded %v, %v", c, f.bounded, err)
		}
	}
}

func TestOutputGone(t *testing.T) {
	f := &feed{events: make(chan []node.Event, 1)}
	f.tell(node.CaughtUp{})
	r, w := io.Pipe()
	r.Close()
	if err := Run(t.Context(), Config{Node: f, Out: w, JSON: true}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Run returned %v", err)
	}
}

// FuzzReadLine has a bound of its own, since the fuzzer is slow with long inputs.
func FuzzReadLine(f *testing.F) {
	const most = 17
	f.Add("a\r\nb")
	f.Add("12345678901234567")
	f.Add("1234567890123456\n12345678901234567\n123456789012345678\n1234567890123456789012345678901234567890\n\nz")
	f.Fuzz(func(t *testing.T, in string) {
		b, total := newReader(strings.NewReader(in), most), 0
		for err := error(nil); err == nil; {
			var l line
			l, err = readLine(b, most)
			whole := in[total : total+l.length]
			total += l.length
			rest, ok := strings.CutPrefix(whole, l.text)
			if !ok || strings.Contains(l.text, "\n") || l.length <= most && strings.Trim(rest, "\r\n") != "" || l.length > most && l.text != "" {
				t.Errorf("%q was read as %q", whole, l.text)
			}
		}
		if total != len(in) {
			t.Errorf("%d of %d bytes seen", total, len(in))
		}
	})
}

// What this person says on another machine, and what cannot be delivered, is not waited for.
func TestNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, w := io.Pipe()
		f := &feed{events: begun()}
		go func() {
			f.tell(node.Said{Message: node.Message{ID: message.ID{9}, Room: "#lobby", Nick: "me", Text: "from there", Mine: true}})
			io.WriteString(w, "one\n")
			time.Sleep(time.Second)
			f.underWay.Add(-1)
			f.tell(node.Delivered{ID: message.ID{1}})
			w.Close()
		}()
		start := time.Now()
		err := Run(t.Context(), Config{Node: f, In: in, Out: io.Discard, Linger: 5 * time.Second})
		if took := time.Since(start); err != nil || took != time.Second {
			t.Errorf("ended after %v with %v, want 1s and none", took, err)
		}
	})
}

// A person who types nothing for ten minutes is away until the next line; a program is not, and who said so themselves stays away.
func TestIdle(t *testing.T) {
	for name, c := range map[string]struct {
		typed, away bool
		want        []node.Command
	}{
		"a person":  {true, false, []node.Command{node.SetAway{Away: true}, node.SetAway{}, node.Say{Room: "#lobby", Text: "two"}, node.SetAway{Away: true}}},
		"away":      {true, true, []node.Command{node.Say{Room: "#lobby", Text: "two"}}},
		"a program": {false, false, []node.Command{node.Say{Room: "#lobby", Text: "two"}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &feed{events: begun(), snapshot: node.Snapshot{Me: node.Person{Away: c.away}}}
			in, w := io.Pipe()
			ctx, end := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- Run(ctx, Config{Node: f, In: in, Out: io.Discard, Typed: c.typed}) }()
			time.Sleep(command.IdleAfter - time.Second)
			io.WriteString(w, "one\n")
			time.Sleep(time.Hour)
			io.WriteString(w, "two\n")
			time.Sleep(time.Hour)
			synctest.Wait()
			if !slices.Equal(f.did[1:], c.want) || f.did[0] != (node.Say{Room: "#lobby", Text: "one"}) {
				t.Errorf("%s: did %v, want %v", name, f.did, c.want)
			} else if after := f.when[1].Sub(f.when[0]); len(c.want) > 1 && after != command.IdleAfter {
				t.Errorf("%s: away after %v", name, after)
			}
			end()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			in.Close()
		})
	}
}

// A QR code is printed below the words, black on white on a terminal; a program gets the words alone.
func TestFingerprintPrinted(t *testing.T) {
	for _, c := range []Config{{}, {Colour: true}, {JSON: true}} {
		var out bytes.Buffer
		c.Node, c.In, c.Out = &feed{events: begun()}, strings.NewReader("/fingerprint\n"), &out
		if err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		drawn, err := look.PrintQR("EARSHOT:VERIFY:00", c.Colour)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "your fingerprint is") || strings.HasSuffix(out.String(), drawn) == c.JSON {
			t.Errorf("%+v:\n%s", c, out.String())
		}
	}
}

type writes struct {
	bytes.Buffer
	n int
}

func (w *writes) Write(b []byte) (int, error) { w.n++; return w.Buffer.Write(b) }

// What comes together is written together, and nothing waits for more.
func TestWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f, out, ended := &feed{events: begun()}, &writes{}, make(chan error)
		said := message1(nil)
		for range 5 {
			f.tell(said, said, said, said)
		}
		go func() { ended <- Run(ctx, Config{Node: f, Out: out}) }()
		synctest.Wait()
		if n := strings.Count(out.String(), "bob: hi"); out.n != 1 || n != 21 {
			t.Errorf("%d lines in %d writes", n, out.n)
		}
		f.tell(said)
		synctest.Wait()
		if n := strings.Count(out.String(), "bob: hi"); out.n != 2 || n != 22 {
			t.Errorf("%d lines in %d writes after one more", n, out.n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
