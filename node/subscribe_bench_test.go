package node

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
)

// said100 appends n messages of 100 bytes to a journal, in runs of 50, as one author says them in a flood.
func said100(b *testing.B, n *Node, count int) {
	const size = 50
	author := frames.Identity(b, "alice")
	at, _ := n.gather.now()
	hlc, body := uint64(time.Now().UnixMilli())<<16, fmt.Appendf(nil, "%100d", 1)
	o := &message.Opening{Network: n.network.ID(), Room: message.Room(message.Lobby), Name: message.Lobby, Author: author.ID(), Nonce: message.Nonce{1}, Day: uint32(time.Now().Unix() / 86400), Nick: "alice"}
	run := &message.Run{Log: o.Log(), First: 1, Opening: o}
	for range count / size {
		for range size {
			hlc++
			run.Records = append(run.Records, message.Body(hlc, message.Text, body))
		}
		run.Sign(author)
		if _, err := at.journal.Append(b.Context(), run, 1, journal.Live); err != nil {
			b.Fatal(err)
		}
		hashes := run.Hashes()
		run = &message.Run{Log: o.Log(), First: run.Last() + 1, Prev: hashes[size-1]}
	}
}

// What one who follows the events costs in a flood, with 200 people here; one op is a message.
func BenchmarkTold(b *testing.B) {
	for _, box := range []bool{true, false} {
		b.Run(fmt.Sprintf("box=%v", box), func(b *testing.B) {
			const count = 20_000
			dir := b.TempDir()
			n, err := New(Config{Dir: filepath.Join(dir, "p"), HostDir: dir, Nick: "harry", ServerOnly: box, NoHistory: box, Net: nodetest.New(1).Host("harry").Net(), Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			defer n.Close()
			n.people.serve(crowd(200))
			said100(b, n, count)
			b.ReportAllocs()
			b.ResetTimer()
			for told := 0; told < b.N; {
				ctx, cancel := context.WithCancel(b.Context())
				events := make(chan []Event, listsAhead)
				n.events(ctx, events, 0, func(*journal.Journal) int64 { return 0 }, nil, false, func() {})
				for some := 0; some < count && told < b.N; {
					for _, e := range <-events {
						if _, ok := e.(Said); ok {
							some++
							told++
						}
					}
				}
				cancel()
			}
		})
	}
}

// What it costs to pass over a message; one op is one.
func BenchmarkPassedOver(b *testing.B) {
	const count = 20_000
	dir := b.TempDir()
	n, err := New(Config{Dir: filepath.Join(dir, "p"), HostDir: dir, Nick: "harry", ServerOnly: true, NoHistory: true, Net: nodetest.New(1).Host("harry").Net(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	said100(b, n, count)
	s := &subscription{node: n, ration: newRation()}
	s.at, s.version = n.gather.now()
	s.ration.until = time.Now().Add(time.Hour)
	b.ReportAllocs()
	b.ResetTimer()
	for s.ration.passed.Count < b.N {
		s.cursor = s.at.journal.Follow(0)
		s.lines()
	}
}
