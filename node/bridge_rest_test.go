package node

import (
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/election"
	"earshot/node/identity"
)

// One that takes the seat for somebody who does not come to it either does so less and less often.
func TestBridgeOfNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, far, near := election.ID{1}, election.ID{2}, election.ID{3}
		s := &seat{bridge: bridge{links: map[identity.Session][]string{}}}
		for id, link := range map[election.ID]string{hub: "a", far: "b", near: "a"} {
			s.heardOnLocked(identity.Session(id), []string{link})
		}
		missed := election.Input{Members: []election.Member{{ID: hub, Hub: true}, {ID: far, Lost: election.Seat{Hub: hub}}, {ID: near}}}
		useless := election.Input{Members: []election.Member{{ID: hub, Linked: true}, {ID: far}, {ID: near, Linked: true}}}
		useful := election.Input{Members: []election.Member{{ID: hub, Linked: true}, {ID: far, Linked: true}}}
		same := election.Input{Members: []election.Member{{ID: hub, Hub: true}, {ID: far}, {ID: near, Lost: election.Seat{Hub: hub}}}}
		if s.bridgesLocked(same, false) {
			t.Fatal("for one that is in the hub's own network")
		}
		last := time.Now()
		for _, want := range []time.Duration{0, time.Minute, 2 * time.Minute, 4 * time.Minute} {
			for !s.bridgesLocked(missed, false) {
				if s.retry.IsZero() {
					t.Fatal("it does not look again by itself")
				}
				time.Sleep(time.Until(s.retry))
				s.retry = time.Time{}
			}
			s.retry = time.Time{}
			if took := time.Since(last); took != want {
				t.Errorf("again after %v, want %v", took, want)
			}
			began := time.Now()
			for s.bridgesLocked(useless, true) {
				time.Sleep(time.Second)
			}
			if took := time.Since(began); took != bridgeFor {
				t.Errorf("of no use for %v", took)
			}
			last = time.Now()
		}
		for !s.bridgesLocked(missed, false) {
			time.Sleep(time.Second)
		}
		for range 3600 {
			time.Sleep(time.Second)
			if !s.bridgesLocked(useful, true) {
				t.Fatal("no more, though it is needed")
			}
		}
		for range 2 * bridgeFor / time.Second {
			s.bridgesLocked(useless, true)
			time.Sleep(time.Second)
		}
		if !s.bridgesLocked(missed, false) {
			t.Error("not again at once, though it was of use")
		}
	})
}
