package plain

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
)

// What it costs to print a message of 100 bytes; one op is a message.
func BenchmarkPrint(b *testing.B) {
	for _, c := range []Config{{ServerOnly: true}, {}, {JSON: true, ServerOnly: true}, {JSON: true}} {
		b.Run(fmt.Sprintf("box=%v/json=%v", c.ServerOnly, c.JSON), func(b *testing.B) {
			c.Out = io.Discard
			p := &printer{Config: c, room: "#lobby", day: today()}
			m := node.Message{ID: message.ID{1}, Room: "#lobby", Author: identity.PeerID{2}, Nick: "alice", Text: strings.Repeat("over the wall ", 7), At: time.Now()}
			b.ReportAllocs()
			for b.Loop() {
				m.At = m.At.Add(time.Millisecond / 10)
				if err := p.print(node.Said{Message: m}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
