package node

import (
	"context"
	"net/netip"
	"time"

	"earshot/node/probe"
)

// Machines whose earshot speaks another version of the protocol are no members of the roster: those of each version elect a hub of their own, and chat among themselves. Of that the user is
// told, for nothing else shows it.
const (
	sameVersion = "run the same version of earshot on all machines: those of each version talk among themselves alone"
	differEvery = time.Hour   // between two notices of it
	askEvery    = time.Minute // between two machines that are asked
)

// foreign: the roster heard of a machine with another version.
func (n *Node) foreign(at netip.AddrPort) {
	select {
	case n.strangers <- at:
	default:
	}
}

// watchVersions asks machines with another version who they are and which it is: what the roster heard anybody may have sent.
func (n *Node) watchVersions(ctx context.Context) {
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rest.C:
		}
		select {
		case <-ctx.Done():
			return
		case at := <-n.strangers:
			prober, err := probe.New(probe.Config{Network: n.network, Net: n.config.Net})
			if err != nil {
				n.log.Warn("cannot ask a machine with another version", "err", err)
				return
			}
			if a := prober.Look(ctx, at.String()); a.Refusal == probe.Version {
				n.differ(a.Sentence())
			}
			rest.Reset(askEvery)
		}
	}
}

// differ tells the user that a machine speaks another version, but not of each machine, nor each time.
func (n *Node) differ(text string) {
	n.mu.Lock()
	lately := !n.differed.IsZero() && time.Since(n.differed) < differEvery
	if !lately {
		n.differed = time.Now()
	}
	n.mu.Unlock()
	if !lately {
		n.notice(text, sameVersion)
	}
}
