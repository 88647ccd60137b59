package main

import (
	"context"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"earshot/discovery/doctor"
	"earshot/node"
	"earshot/node/identity"
	"earshot/node/probe"
	"earshot/ui/cli"
)

// examine says what keeps this machine from others, or that nothing does. port is this machine's, me is who is at the profile, session the process that takes part already; zero: none does.
func examine(ctx context.Context, s *cli.Setup, port int, me identity.PeerID, session identity.Session, met []netip.AddrPort) (*doctor.Report, error) {
	p, err := probe.New(probe.Config{Network: s.Node.Network})
	if err != nil {
		return nil, err
	}
	c := doctor.Config{
		Network: s.Node.Network.Name(), Closed: s.Node.Network.Closed(), Port: uint16(port),
		Tag:     tag(s.Node.Network),
		Look:    func(ctx context.Context, address string) doctor.Peer { return seen(p.Look(ctx, address)) },
		Session: session, Remembered: met, Join: s.Node.Joins(),
	}
	if me != (identity.PeerID{}) {
		c.Own = me.Fingerprint()
	}
	return doctor.Examine(ctx, c)
}

// seen puts what a look found in the doctor's words.
func seen(a probe.Answer) doctor.Peer {
	p := doctor.Peer{Refusal: string(a.Refusal), Nick: a.Nick, Hub: a.Hub, Here: len(a.View.Here), Took: a.Took}
	if a.Refusal != probe.None {
		p.Err = a.Sentence()
		return p
	}
	p.ID, p.Session = a.Peer.Fingerprint(), a.Session.String()
	clock := a.Clock
	if !a.Vouched.IsZero() {
		clock, p.Vouched = a.Vouched, true
	}
	p.Ahead = clock.Sub(a.Asked.Round(0))
	return p
}

// diagnose is earshot doctor. It opens no profile: it may be in use.
func diagnose(ctx context.Context, s *cli.Setup) error {
	r, err := examine(ctx, s, s.Node.Port, owner(s.Node.Dir), identity.Session{}, remembered(s))
	if err != nil {
		return err
	}
	show := r.WriteText
	if s.JSON {
		show = func(w io.Writer) error { return cli.PrintJSON(w, r) }
	}
	if err := cli.Print(show); err != nil {
		return err
	}
	if r.Found == 0 {
		return &cli.Error{Code: cli.ExitNobody, Text: "nobody else was found"}
	}
	return nil
}

// owner is who is at a profile, nobody where there is none yet, or its key is not to be read.
func owner(dir string) (id identity.PeerID) {
	if _, err := os.Stat(filepath.Join(dir, "identity.key")); err != nil {
		return id
	}
	who, err := identity.Load(dir)
	if err != nil {
		return id
	}
	return who.ID()
}

// aloneFor is after how long without anybody the user is told why that may be.
const aloneFor = 10 * time.Second

// advise tells the user, once in each place, why nobody is found. A place where somebody was met is in order: people go home.
func advise(ctx context.Context, n *node.Node, s *cli.Setup) {
	place, known := netip.Addr{}, false
	var since time.Time // alone, in another place
	changed := n.Changed(ctx)
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-wait.C:
		}
		at := n.Address()
		switch alone := n.Here() < 2 && n.Hub().State != node.Linked; {
		case !alone:
			place, known, since = at, true, time.Time{}
		case known && place == at:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
			wait.Reset(aloneFor)
		case time.Since(since) < aloneFor:
		default:
			place, known, since = at, true, time.Time{}
			r, err := examine(ctx, s, n.Port(), n.ID(), n.Session(), slices.Concat(n.Remember(), s.Node.Remembered))
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				s.Log.Info("no diagnosis", "err", err)
				continue
			}
			if n.Here() < 2 && r.Found == 0 {
				n.Tell(r.Line())
			}
		}
	}
}
