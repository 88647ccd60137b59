package exchange_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/nodetest"
)

// Who is far behind is served with a rest of 1 ms every 128 KiB while somebody says something, and as fast as it takes it while nobody does.
func TestServingRests(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		hub := newReplica(t, lan, "hub")
		const lines = 2000
		var last journal.Key
		for i := range lines {
			last = hub.sayText(fmt.Sprint(i, strings.Repeat("x", message.MaxText-10)))
		}
		const size = lines * message.MaxText
		catchUp := func(name string, talk time.Duration) time.Duration {
			late := newReplica(t, lan, name)
			time.Sleep(2 * time.Second)
			began := time.Now()
			late.link(hub)
			for said := began; time.Since(began) < time.Second; time.Sleep(100 * time.Microsecond) {
				if h, _ := late.journal.Head(last.Log); h.Seq >= lines {
					break
				}
				if talk > 0 && time.Since(said) >= talk {
					said = time.Now()
					hub.say(1)
				}
			}
			return time.Since(began)
		}
		quiet := catchUp("quiet", 0)
		talk := catchUp("talk", time.Millisecond)
		if rests := size / (128 << 10) * time.Millisecond; talk < rests*3/4 || talk > 2*rests || quiet > rests*2/3 {
			t.Errorf("%d bytes took %v, and %v while somebody talks", size, quiet, talk)
		}
	})
}
