package node

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
)

// A speaker says things in one room, straight into the journal of a node, as if a link had brought them.
type speaker struct {
	t   testing.TB
	n   *Node
	who *identity.Identity
	run message.Run // the next, without records
	hlc uint64
}

func newSpeaker(t testing.TB, n *Node, seed byte, room, nick string) *speaker {
	t.Helper()
	who := frames.Identity(t, nick)
	o := &message.Opening{Network: n.network.ID(), Room: message.Room(room), Name: room, Author: who.ID(), Nonce: message.Nonce{seed}, Day: uint32(time.Now().Unix() / 86400), Nick: nick}
	return &speaker{t: t, n: n, who: who, run: message.Run{Log: o.Log(), First: 1, Opening: o}}
}

// says says one run of messages of a kind, and returns what they are called.
func (s *speaker) says(kind message.Kind, bodies ...[]byte) (refs []message.Ref) {
	s.t.Helper()
	at, _ := s.n.gather.now()
	run := s.run
	s.hlc = max(s.hlc, uint64(time.Now().UnixMilli())<<16)
	for _, b := range bodies {
		s.hlc++
		run.Records = append(run.Records, message.Body(s.hlc, kind, b))
	}
	run.Sign(s.who)
	if _, err := at.journal.Append(s.t.Context(), &run, 1, journal.Live); err != nil {
		s.t.Fatal(err)
	}
	hashes := run.Hashes()
	for i, h := range hashes {
		refs = append(refs, message.Ref{Log: run.Log, Seq: run.First + uint64(i), ID: h.ID()})
	}
	s.run = message.Run{Log: run.Log, First: run.Last() + 1, Prev: hashes[len(hashes)-1]}
	return refs
}

// floods says so many texts, in runs of 70.
func (s *speaker) floods(count int) {
	s.t.Helper()
	for said := 0; said < count; {
		var texts [][]byte
		for ; len(texts) < 70 && said < count; said++ {
			texts = append(texts, fmt.Appendf(nil, "%d", said))
		}
		s.says(message.Text, texts...)
	}
}

// heard is what a reader was told, and how long after the beginning.
type heard struct {
	Event
	after time.Duration
}

// listen returns what was told since it was asked last.
func listen(events <-chan []Event) (told func() []heard) {
	var mu sync.Mutex
	var list []heard
	begin := time.Now()
	go func() {
		for l := range events {
			mu.Lock()
			for _, e := range l {
				list = append(list, heard{e, time.Since(begin)})
			}
			mu.Unlock()
		}
	}()
	return func() (some []heard) {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		some, list = list, nil
		return some
	}
}

// box runs story with a node that nobody is linked to, and what its console was told.
func box(t *testing.T, story func(t *testing.T, n *Node, told func() []heard)) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		n, err := New(Config{Dir: filepath.Join(dir, "p"), HostDir: dir, Nick: "box", ServerOnly: true, NoHistory: true, Net: nodetest.New(1).Host("box").Net(), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		ctx, end := context.WithCancel(t.Context())
		defer end()
		told := listen(n.Console(ctx, 0))
		told() // how it begins
		story(t, n, told)
	})
}

// of returns what is of one kind.
func of[E Event](list []heard) (out []E) {
	for _, h := range list {
		if e, ok := h.Event.(E); ok {
			out = append(out, e)
		}
	}
	return out
}

// Of a flood a console tells the first lines and how many more there were, exactly; who comes meanwhile; and then everything again. Whoever asks for all events gets each.
func TestConsoleIsBounded(t *testing.T) {
	box(t, func(t *testing.T, n *Node, told func() []heard) {
		all := listen(n.Events(t.Context(), 0))
		alice := newSpeaker(t, n, 1, message.Lobby, "alice")
		const flood = 12_000
		alice.floods(flood)
		time.Sleep(500 * time.Millisecond)
		n.people.serve(crowd(1))
		time.Sleep(2 * time.Second)
		list := told()
		lines := of[Said](list)
		if len(lines) != consoleAtOnce || lines[0].Text != "0" || lines[consoleAtOnce-1].Text != fmt.Sprint(consoleAtOnce-1) {
			t.Fatalf("%d lines were told", len(lines))
		}
		rest := list[len(list)-2:]
		if joined, ok := rest[0].Event.(PeerChanged); !ok || joined.Nick != "guest0" || rest[0].after > 500*time.Millisecond+consoleWaits {
			t.Errorf("then %+v", rest[0])
		}
		if want := (Passed{Room: "#lobby", Count: flood - consoleAtOnce}); rest[1].Event != want || rest[1].after > passedEvery+2*consoleWaits {
			t.Errorf("then %+v, want %+v", rest[1], want)
		}
		if got := of[Said](all()); len(got) != flood {
			t.Errorf("Events told %d of %d", len(got), flood)
		}
		time.Sleep(time.Minute)
		alice.floods(consoleAtOnce)
		time.Sleep(consoleWaits)
		if list := told(); len(of[Said](list)) != consoleAtOnce || len(of[Passed](list)) != 0 {
			t.Errorf("a minute later %d lines were told, and %v", len(of[Said](list)), of[Passed](list))
		}
	})
}

// Of a flood that lasts a hundred lines a second are told, in their order, and what is passed over in between, once a second.
func TestConsoleLasting(t *testing.T) {
	box(t, func(t *testing.T, n *Node, told func() []heard) {
		alice, bob := newSpeaker(t, n, 1, message.Lobby, "alice"), newSpeaker(t, n, 2, "build", "bob")
		const seconds, each = 12, 400
		for range seconds {
			for range 2 {
				alice.floods(each)
				bob.floods(each)
				time.Sleep(time.Second / 2)
			}
		}
		time.Sleep(2 * time.Second)
		list := told()
		lines, passed := of[Said](list), of[Passed](list)
		sum := 0
		for _, p := range passed {
			if sum += p.Count; p.Room != "" {
				t.Errorf("of two rooms: %+v", p)
			}
		}
		if len(lines)+sum != 4*seconds*each {
			t.Errorf("%d were told and %d passed over of %d", len(lines), sum, 4*seconds*each)
		}
		if least, most := consoleAtOnce+(seconds-5)*consoleASecond, consoleAtOnce+(seconds+2)*consoleASecond; len(lines) < least || len(lines) > most {
			t.Errorf("%d were told, not %d to %d", len(lines), least, most)
		}
		if !slices.IsSortedFunc(lines, func(a, b Said) int { return int(a.Key.HLC>>16) - int(b.Key.HLC>>16) }) {
			t.Error("not in their order")
		}
		last := -passedEvery
		for i, h := range list {
			if _, ok := h.Event.(Passed); !ok {
				continue
			}
			if h.after-last < passedEvery || i == 0 {
				t.Errorf("%+v %v after the one before", h, h.after-last)
			}
			last = h.after
		}
		if len(passed) < seconds/2 {
			t.Errorf("it was told %d times", len(passed))
		}
	})
}

// In what is passed over is what others go by: topics, and who was met.
func TestConsolePassesOver(t *testing.T) {
	box(t, func(t *testing.T, n *Node, told func() []heard) {
		alice := newSpeaker(t, n, 1, message.Lobby, "alice")
		alice.floods(consoleAtOnce)
		bob := newSpeaker(t, n, 2, "build", "bob")
		bob.says(message.NickName, []byte("rob"))
		refs := bob.says(message.Text, []byte("one"), []byte("two"))
		bob.says(message.Topic, []byte("old"))
		bob.says(message.Topic, []byte("new"))
		bob.says(200, []byte("later versions know what"))
		edit := message.About{Refs: refs[:1], Text: []byte("three")}
		bob.says(message.Edit, edit.Body(message.Edit))
		time.Sleep(consoleWaits)
		if list := told(); len(of[Said](list)) != consoleAtOnce || len(of[TopicChanged](list)) != 0 {
			t.Errorf("%d lines and %v were told", len(of[Said](list)), of[TopicChanged](list))
		}
		if nick := n.people.known.nickOf(bob.who.ID()); nick != "rob" {
			t.Errorf("who was met is called %q", nick)
		}
		time.Sleep(2 * time.Second)
		list := told()
		if got := of[Passed](list); !slices.Equal(got, []Passed{{Room: "#build", Count: 5}}) {
			t.Errorf("passed over: %+v", got)
		}
		if got := of[TopicChanged](list); len(got) != 1 || got[0].Room != "#build" || got[0].Text != "new" {
			t.Errorf("topics: %+v", got)
		}
		again := message.About{Refs: refs[1:], Text: []byte("four")}
		bob.says(message.Edit, again.Body(message.Edit)) // of a line that was not told
		bob.says(message.Text, []byte("five"))
		time.Sleep(consoleWaits)
		list = told()
		if got := of[Edited](list); len(got) != 1 || got[0].Text != "four" {
			t.Errorf("edited: %+v", got)
		}
		if got := of[Said](list); len(got) != 1 || got[0].Text != "five" || got[0].Nick != "rob" {
			t.Errorf("said: %+v", got)
		}
		gone := message.About{Refs: refs}
		bob.says(message.Redact, gone.Body(message.Redact))
		time.Sleep(consoleWaits)
		if got := of[Redacted](told()); len(got) != 2 {
			t.Errorf("redacted: %+v", got)
		}
	})
}

// What a console does not tell in any case takes nothing of what it may: what those say who are ignored, what is sealed for others, what is said in no room, and kinds that it does not know.
func TestConsoleSpares(t *testing.T) {
	box(t, func(t *testing.T, n *Node, told func() []heard) {
		mallory := newSpeaker(t, n, 3, message.Lobby, "mallory")
		if err := n.people.known.mark(mallory.who.ID(), "mallory", func(k *contact) { k.Ignored = true }); err != nil {
			t.Fatal(err)
		}
		sealed := newSpeaker(t, n, 4, "", "carol")
		sealed.run.Opening.Room, sealed.run.Opening.Group = message.RoomID{9}, message.GroupID{9}
		sealed.run.Log = sealed.run.Opening.Log()
		nowhere, unknown := newSpeaker(t, n, 5, "no room\n", "nick"), newSpeaker(t, n, 6, message.Lobby, "eve")
		for range consoleAtOnce/70 + 1 {
			mallory.floods(70)
			nowhere.floods(70)
			unknown.says(200, slices.Repeat([][]byte{[]byte("later versions know what")}, 70)...)
			sealed.says(message.Sealed, slices.Repeat([][]byte{make([]byte, 128)}, 70)...)
		}
		alice := newSpeaker(t, n, 1, message.Lobby, "alice")
		alice.floods(consoleAtOnce + 1)
		time.Sleep(consoleWaits)
		mallory.floods(7)
		nowhere.floods(7)
		sealed.says(message.Sealed, make([]byte, 128))
		time.Sleep(2 * time.Second)
		list := told()
		if got, passed := of[Said](list), of[Passed](list); len(got) != consoleAtOnce || !slices.Equal(passed, []Passed{{Room: "#lobby", Count: 1}}) {
			t.Errorf("%d lines were told, and %+v", len(got), passed)
		}
	})
}

// A redaction counts for as many as it deletes.
func TestConsoleCountsRedactions(t *testing.T) {
	box(t, func(t *testing.T, n *Node, told func() []heard) {
		alice := newSpeaker(t, n, 1, message.Lobby, "alice")
		alice.floods(consoleAtOnce - 3*40)
		refs := alice.says(message.Text, slices.Repeat([][]byte{[]byte("hi")}, 40)...)
		gone := message.About{Refs: refs}
		for range 3 {
			alice.says(message.Redact, gone.Body(message.Redact))
		}
		time.Sleep(2 * time.Second)
		list := told()
		if said, redacted := len(of[Said](list)), len(of[Redacted](list)); said != consoleAtOnce-2*40 || redacted != 2*40 {
			t.Errorf("%d and %d were told", said, redacted)
		}
		if got := of[Passed](list); !slices.Equal(got, []Passed{{Room: "#lobby", Count: 1}}) {
			t.Errorf("%+v", got)
		}
	})
}

// What happened just before the node ends is told still.
func TestConsoleTellsTheLast(t *testing.T) {
	box(t, func(t *testing.T, n *Node, told func() []heard) {
		newSpeaker(t, n, 1, message.Lobby, "alice").floods(1)
		synctest.Wait()
		n.watch.close()
		if list := told(); len(of[Said](list)) != 1 {
			t.Errorf("%+v", list)
		}
	})
}

// What happens within a moment is told together.
func TestConsoleTellsTogether(t *testing.T) {
	box(t, func(t *testing.T, n *Node, told func() []heard) {
		alice := newSpeaker(t, n, 1, message.Lobby, "alice")
		alice.floods(1)
		time.Sleep(consoleWaits / 2)
		alice.floods(1)
		if list := told(); len(list) != 0 {
			t.Errorf("told at once: %+v", list)
		}
		time.Sleep(consoleWaits / 2)
		if list := of[Said](told()); len(list) != 2 {
			t.Errorf("then %d lines were told", len(list))
		}
		alice.floods(1)
		n.people.serve(crowd(1))
		if list := told(); len(list) != 0 {
			t.Errorf("told at once: %+v", list)
		}
		time.Sleep(consoleWaits)
		if list := told(); len(of[PeerChanged](list)) != 1 || len(of[Said](list)) != 1 {
			t.Errorf("with who came %+v were told", list)
		}
	})
}
