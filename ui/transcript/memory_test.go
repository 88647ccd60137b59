package transcript

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"earshot/node"
)

// However much is said, and however many come and go, a room keeps its newest 20,000 lines, and memory stays as it is then.
func TestMemoryIsFlat(t *testing.T) {
	s := screen(t, 80, 24)
	l := newList()
	n := 0
	fill := func(messages int) (heap uint64) {
		for to := n + messages; n < to; n++ {
			l.Add(node.Said{Message: msg(n, fmt.Sprintf("message %d, of some length, see `x` and https://example.org/%d", n, n))}, "alice", true)
			at := start.Add(time.Duration(n) * time.Second)
			if n%10 == 0 {
				l.Event(at, "something happened")
				m := msg(n, "")
				l.Presence(at, node.PeerChanged{State: []node.PeerState{node.Joined, node.Left}[n/10%2], Nick: m.Nick, ID: m.Author})
			}
			if n%100 == 0 {
				l.Draw(s, 0, 0, 80, 24)
			}
			if len(l.entries) > Limit+Limit/20+1 || len(l.byID) > len(l.entries) {
				t.Fatalf("after %d messages %d lines are kept, with %d ids", n, len(l.entries), len(l.byID))
			}
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what finalizers held
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	full := fill(3 * Limit / 2)
	if heap := fill(Limit); heap > full+full/4 { // the list lets go of a twentieth at a time
		t.Errorf("%d bytes after %d messages, %d were enough before", heap, n, full)
	}
	runtime.KeepAlive(l)
}
