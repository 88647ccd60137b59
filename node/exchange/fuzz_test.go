package exchange_test

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"earshot/node/exchange"
	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest/frames"
	"earshot/node/wire"
)

// FuzzFrames lets an end of a link hear whatever bytes come in place of frames, as the hub and as who follows it. The link ends, without a panic; every frame said in answer is a
// frame; what the journal holds is as it was; and an honest link still works.
func FuzzFrames(f *testing.F) {
	who := frames.Identity(f, "")
	j, err := journal.Open(journal.Config{Network: identity.NetworkID{1}, Realm: realm})
	if err != nil {
		f.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	f.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			f.Error(err)
		}
	})
	var a *journal.Author
	var key journal.Key
	for i := range wire.Parts + 5 { // so many logs that a day has parts
		if i <= wire.Parts {
			a = j.NewAuthor(who, "a")
		}
		if _, key, _, err = a.Write(ctx, message.Public, message.Room(message.Lobby), message.Lobby, message.Text, []byte("held")); err != nil {
			f.Fatal(err)
		}
	}
	root, err := j.Root(message.Public, 0, 1<<31)
	if err != nil {
		f.Fatal(err)
	}
	day := j.Today()
	heads, _, err := j.Heads(message.Public, day, message.LogID{}, 10)
	if err != nil {
		f.Fatal(err)
	}
	head := wire.Head{Log: key.Log, Seq: 9, Tip: heads[0].Tip}
	frame := func(t wire.Type, v any) []byte { return wire.Append(nil, t, v) }
	var run []byte
	for b := range j.Serve(key.Log, 2) {
		run = wire.AppendFrame(nil, wire.TypeRun, b)
	}
	state := frame(wire.TypeState, &wire.State{Realm: realm, Durable: true, Reply: true, Groups: []wire.GroupState{{Today: day, Sum: message.Hash{1}}}})
	for _, parts := range [][][]byte{
		{state},
		{state, frame(wire.TypeDays, &wire.Days{From: day, Days: []wire.DaySum{{Day: day, Sum: message.Hash{1}}}}), frame(wire.TypeHeads, &wire.Heads{Day: day, Heads: []wire.Head{head}})},
		{state, frame(wire.TypeHeads, &wire.Heads{Day: day})},
		{frame(wire.TypeAskDays, &wire.AskDays{}), frame(wire.TypeAskHeads, &wire.AskHeads{Day: day}), frame(wire.TypeAskHeads, &wire.AskHeads{Day: day, Parts: make([]byte, wire.Parts*wire.PartBytes)})},
		{frame(wire.TypeAskHeads, &wire.AskHeads{Day: day, Parts: make([]byte, wire.PartBytes)})},
		{state, frame(wire.TypeWant, &wire.Want{Wants: []wire.WantLog{{Log: key.Log, From: 1}}}), run},
		{state, frame(wire.TypeDone, &wire.Done{Logs: []message.LogID{key.Log}}), frame(wire.TypePing, nil)},
		{state, frame(wire.TypeBeat, &wire.Beat{Clock: time.Now().UnixMilli(), Root: &message.Hash{2}, Waiting: []wire.Head{head}})},
		{state, frame(wire.TypeHave, &wire.Have{Heads: []wire.Head{head}}), frame(wire.TypeStable, &wire.Stable{Logs: []wire.StableLog{{Log: key.Log, Seq: 2, Copies: 2}}})},
		{frame(wire.TypeState, &wire.State{Realm: realm, Groups: []wire.GroupState{{}, {Group: message.GroupID{1}, Sum: message.Hash{1}}, {Group: message.GroupID{1}}, {Group: message.Mail, Today: day, Sum: message.Hash{1}}}}),
			frame(wire.TypeDays, &wire.Days{Group: message.Mail, From: day, Days: []wire.DaySum{{Day: day, Sum: message.Hash{1}}}, More: true}), frame(wire.TypeDays, &wire.Days{Group: message.GroupID{1}}),
			frame(wire.TypeHeads, &wire.Heads{Group: message.Mail, Day: day, Heads: []wire.Head{head}}), frame(wire.TypeBeat, &wire.Beat{Root: &message.Hash{2}, Covers: 1})},
		{frame(wire.TypeAskDays, &wire.AskDays{Group: message.Mail}), frame(wire.TypeAskHeads, &wire.AskHeads{Group: message.Mail, Day: day}), frame(wire.TypeAskHeads, &wire.AskHeads{Group: message.GroupID{1}, Day: day})},
		{run, run[:40], {0, 0, 0, 0}},
	} {
		f.Add(bytes.Join(parts, nil), false)
		f.Add(bytes.Join(parts, nil), true)
	}
	f.Fuzz(func(t *testing.T, said []byte, hub bool) {
		x := exchange.New(exchange.Config{Journal: j, Host: identity.HostID{1}})
		here, there := net.Pipe()
		answered := make(chan error, 1)
		go func() {
			r := wire.NewReader(there)
			for {
				if _, _, err := r.Next(); err != nil {
					answered <- err
					return
				}
			}
		}()
		over := make(chan error, 1)
		go func() {
			over <- x.Run(ctx, &exchange.Link{Conn: here, Reader: wire.NewReader(here), Peer: identity.PeerID{2}, Hub: hub, Silence: time.Minute, Session: identity.Session{2}, Host: identity.HostID{2}})
		}()
		there.Write(said) // it may be cut off in the middle
		there.Close()
		select {
		case <-over:
		case <-time.After(30 * time.Second):
			t.Fatal("the link goes on")
		}
		<-answered
		if now, err := j.Root(message.Public, 0, 1<<31); err != nil || now != root {
			t.Fatal("the journal is another", err)
		}
	})
}
