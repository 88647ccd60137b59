package ui

import (
	"fmt"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/message"
)

// A flood of 1,000 messages a second, as the loop takes it in: what comes in the time of one frame, and then one drawing. An operation is a frame; cpu-% is what part of
// a core it takes, and max-ms the longest that a key waits for its turn.
func BenchmarkFlood(b *testing.B) {
	s := newStage(b, 120, 40, lobby(), Config{})
	perFrame := int(1000 * frame / time.Second)
	longest := time.Duration(0)
	for b.Loop() {
		began := time.Now()
		for range perFrame {
			s.seq++
			m := node.Message{Room: "#lobby", Kind: message.Text, Nick: "bob", Author: id("bob"), Text: fmt.Sprintf("line %d of the flood, see https://example.org/%d", s.seq, s.seq), At: start}
			copy(m.ID[:], fmt.Sprintf("id %013d", s.seq))
			m.Key = node.Key{HLC: s.seq}
			s.apply(node.Said{Message: m})
		}
		s.draw()
		longest = max(longest, time.Since(began))
	}
	perOp := float64(b.Elapsed()) / float64(b.N)
	b.ReportMetric(100*perOp/float64(frame), "cpu-%")
	b.ReportMetric(float64(longest.Microseconds())/1000, "max-ms")
}
