package plain

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"earshot/node"
	"earshot/node/message"
)

// session is line mode in a bubble, with what it prints and who types.
type session struct {
	t   *testing.T
	f   *feed
	out bytes.Buffer
	in  *io.PipeWriter
}

// begin starts line mode with a conversation with bob. It ends with the test.
func begin(t *testing.T, c Config) *session {
	s := &session{t: t, f: &feed{events: begun(), snapshot: node.Snapshot{Rooms: []node.Room{
		{Name: "#lobby", ID: message.RoomID{1}, Joined: true},
		{Name: "@bob", ID: message.RoomID{2}, Kind: node.DirectRoom, Joined: true, With: node.Named{Nick: "bob"}},
		{Name: "#plans", ID: message.RoomID{3}, Kind: node.PrivateRoom, Joined: true},
	}}}}
	in, w := io.Pipe()
	s.in, c.Node, c.In, c.Out = w, s.f, in, &s.out
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- Run(ctx, c) }()
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		in.Close()
	})
	synctest.Wait()
	return s
}

func (s *session) typed(lines ...string) {
	for _, l := range lines {
		io.WriteString(s.in, l+"\n")
		synctest.Wait()
	}
}

func (s *session) said(seq uint64, room, nick, text string) {
	s.f.tell(node.Said{Message: node.Message{ID: message.ID{9, byte(seq)}, Key: node.Key{Seq: seq}, Room: room, Nick: nick, Text: text, Kind: message.Text, Sealed: true, Mine: nick == "me"}})
	synctest.Wait()
}

func (s *session) want(words string) {
	s.t.Helper()
	if !strings.Contains(s.out.String(), words) {
		s.t.Errorf("no %q in\n%s", words, s.out.String())
	}
}

func (s *session) did(want ...node.Command) {
	s.t.Helper()
	if !slices.Equal(s.f.did, want) {
		s.t.Errorf("did %v, want %v", s.f.did, want)
	}
	s.f.did = nil
}

// A conversation is gone to, followed when it is called something else, and the other is told what was printed there, and nothing else.
func TestQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, Config{})
		s.said(1, "@bob", "bob", "psst")
		s.want("@bob bob: psst\n")
		s.typed("/msg bob later")
		s.did(node.Say{Room: "@bob", Text: "later"})
		s.want("@bob me: later\n")
		s.typed("/query BOB")
		s.did(node.Join{Room: "@BOB"})
		s.want("* what you type goes to @bob now\n")
		s.said(2, "@bob", "bob", "now?")
		s.did(node.Seen{Room: "@bob", Up: node.Key{Seq: 2}})
		s.said(3, "#plans", "bob", "or here?")
		s.said(4, "@bob", "me", "from elsewhere")
		s.did()
		s.f.snapshot.Rooms[1].Name, s.f.snapshot.Rooms[1].With.Nick = "@rob", "rob"
		s.f.tell(node.RoomRenamed{ID: message.RoomID{2}, Old: "@bob", New: "@rob"})
		synctest.Wait()
		s.typed("hello")
		s.did(node.Say{Room: "@rob", Text: "hello"})
		s.said(5, "@rob", "rob", "hi")
		s.want(" rob: hi\n")
		s.did(node.Seen{Room: "@rob", Up: node.Key{Seq: 5}})
		s.typed("/room members #plans")
		s.want("* 1 member can read #plans:\n      |   bob  the owner, not here\n")
		s.typed("/leave", "x")
		s.did(node.Leave{Room: "@rob"}, node.Say{Room: "#lobby", Text: "x"})
	})
}

// What a program says after it could not go to a conversation is not said where all can read it, until it says where it is meant to go.
func TestAstray(t *testing.T) {
	for _, typed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := begin(t, Config{JSON: !typed, Typed: typed})
			s.f.refuse = func(c node.Command) error {
				if c == (node.Join{Room: "@zoe"}) {
					return &node.Error{Text: "nobody is called zoe"}
				}
				return nil
			}
			s.typed("/query zoe", "a secret", "/msg bob psst")
			want := []node.Command{node.Join{Room: "@zoe"}, node.Say{Room: "@bob", Text: "psst"}}
			if typed {
				want = slices.Insert(want, 1, node.Command(node.Say{Room: "#lobby", Text: "a secret"}))
			} else {
				s.want("this was not said in #lobby")
			}
			s.did(want...)
			s.typed("/room new", "another", "/join #lobby", "for all")
			want = []node.Command{node.Join{Room: "#lobby"}, node.Say{Room: "#lobby", Text: "for all"}}
			if typed {
				want = slices.Insert(want, 0, node.Command(node.Say{Room: "#lobby", Text: "another"}))
			}
			s.did(want...)
		})
	}
}

// What line mode cannot do it says.
func TestForTheScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, Config{})
		s.typed("/clear", "/mouse off")
		s.want("* /clear is for the full screen\n")
		s.want("* /mouse is for the full screen\n")
		s.did()
	})
}

// A program says itself what it has read.
func TestReadByProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, Config{JSON: true})
		s.typed("/query bob")
		s.did(node.Join{Room: "@bob"})
		s.said(1, "@bob", "bob", "are you a program?")
		s.did()
		s.typed("/read")
		s.did(node.Seen{Room: "@bob", Up: node.Key{Seq: 1}})
	})
}
