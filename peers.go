package main

import (
	"context"
	"io"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"earshot/discovery"
	"earshot/node/identity"
	"earshot/node/probe"
	"earshot/ui/cli"
)

// A search looks at instances as they are found. On an open network anybody can tell of thousands that do not exist: there is a bound to it.
type search struct {
	prober *probe.Prober
	places chan struct{} // one for each look under way
	work   sync.WaitGroup

	mu      sync.Mutex // protects what follows
	begun   int
	answers map[identity.Session]probe.Answer
}

const (
	atOnce   = 16
	maxLooks = 512
	// oneLook is how long one address may take when there may be others.
	oneLook = time.Second
	// grace is for those found in the last moment.
	grace = 300 * time.Millisecond
)

// at looks at the one instance that is at any of these addresses. It does not wait.
func (s *search) at(ctx context.Context, addresses ...string) {
	s.mu.Lock()
	s.begun++
	full := s.begun > maxLooks
	s.mu.Unlock()
	if full {
		return
	}
	s.work.Go(func() {
		for _, address := range addresses {
			select {
			case s.places <- struct{}{}:
			case <-ctx.Done():
				return
			}
			once, cancel := context.WithTimeout(ctx, oneLook)
			a := s.prober.Look(once, address)
			cancel()
			<-s.places
			if a.Refusal == probe.None {
				s.mu.Lock()
				s.answers[a.Session] = a
				s.mu.Unlock()
				return
			}
		}
	})
}

// knows reports whether an instance has answered.
func (s *search) knows(session identity.Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.answers[session]
	return ok
}

// listPeers is earshot peers: who is here. It opens no profile, and nobody is told.
func listPeers(ctx context.Context, s *cli.Setup) error {
	prober, err := probe.New(probe.Config{Network: s.Node.Network})
	if err != nil {
		return err
	}
	look := &search{prober: prober, places: make(chan struct{}, atOnce), answers: map[identity.Session]probe.Answer{}}
	looking, stop := context.WithTimeout(ctx, s.Timeout)
	defer stop()
	late, stopLate := context.WithTimeout(ctx, s.Timeout+grace)
	defer stopLate()
	for _, a := range s.Node.Joins() {
		look.at(late, a)
	}
	for _, a := range remembered(s) {
		look.at(late, a.String())
	}
	_, err = discovery.Look(looking, discovery.SurveyConfig{
		Tag: tag(s.Node.Network),
		Found: func(p discovery.Peer) {
			if look.knows(p.Session) {
				return
			}
			var addresses []string
			for _, a := range p.Addresses {
				addresses = append(addresses, a.String())
			}
			look.at(late, addresses...)
		},
		Log: s.Log,
	})
	if err != nil {
		s.Log.Warn("nothing can be found by multicast", "err", err)
		<-looking.Done()
	}
	look.work.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(look.answers) == 0 {
		return &cli.Error{Code: cli.ExitNobody, Text: "nobody was found", Hint: "earshot doctor says why that may be"}
	}
	show := cli.PrintPeers
	if s.JSON {
		show = cli.PrintPeersJSON
	}
	return cli.Print(func(w io.Writer) error {
		return show(w, probe.Together(slices.Collect(maps.Values(look.answers))), owner(s.Node.Dir))
	})
}

// remembered are the addresses at which peers were met before.
func remembered(s *cli.Setup) []netip.AddrPort {
	if s.Peers == nil {
		return nil
	}
	met, err := s.Peers.Load(time.Now())
	if err != nil {
		s.Log.Warn("remembered peers are not used", "err", err)
	}
	return met
}
