package probe

import (
	"bytes"
	"cmp"
	"math"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"earshot/node/election"
	"earshot/node/identity"
	"earshot/node/wire"
)

// Seen is one instance, as several looks show it together.
type Seen struct {
	Session identity.Session
	ID      identity.PeerID
	Nick    string // "?" where nobody told
	Address string // where it answered, or where others reach it, which goes before a link-local one; empty: unknown
	// What it claims: the Class, and where it is a hub the Weight of those who follow it and its Term, as package election has them.
	Class    uint8
	Hub      bool
	Weight   uint8
	Term     uint64
	LinkOnly bool // it reached the hub by hand, and is in nobody's gossip
	Away     bool
	// Answered: it was looked at itself. Then Software is what it runs, and With the session of the hub it is with, zero where it has none.
	Answered bool
	Software string
	With     identity.Session
}

// Together makes one list of what was answered, hubs first, the best claim before the others, then by nick. What an instance says of itself counts, then what hubs say of others.
func Together(answers []Answer) []Seen {
	order := slices.Clone(answers)
	sort.SliceStable(order, func(i, j int) bool { return order[i].Hub && !order[j].Hub }) // hubs first: they know who is linked
	all := map[identity.Session]Seen{}
	for _, a := range order {
		for _, i := range a.View.Here {
			if _, known := all[i.Session]; !known && i.Session != a.Session {
				all[i.Session] = seen(i)
			}
		}
	}
	for _, a := range order {
		if a.Refusal != None {
			continue
		}
		s := Seen{Session: a.Session, Class: a.Class, Hub: a.Hub, Term: a.Term}
		if k := slices.IndexFunc(a.View.Here, func(i wire.Instance) bool { return i.Session == a.Session }); k >= 0 {
			s = seen(a.View.Here[k])
		}
		s.ID, s.Nick = a.Peer, a.Nick
		if at, err := netip.ParseAddrPort(a.Address); err != nil || !at.Addr().IsLinkLocalUnicast() || s.Address == "" { // where it can, it names one that is of use elsewhere too
			s.Address = a.Address
		}
		s.Answered, s.Software, s.With = true, a.Software, a.View.Hub
		all[a.Session] = s
	}
	var list []Seen
	for _, s := range all {
		s.Nick = cmp.Or(s.Nick, "?")
		list = append(list, s)
	}
	sort.Slice(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if a.Hub || b.Hub {
			return a.Hub && (!b.Hub || a.claim().Better(b.claim()))
		}
		return cmp.Or(cmp.Compare(a.Nick, b.Nick), bytes.Compare(a.Session[:], b.Session[:])) < 0
	})
	return list
}

func seen(i wire.Instance) Seen {
	if a, err := netip.ParseAddrPort(i.Address); err != nil || !a.IsValid() || strings.ContainsFunc(a.Addr().Zone(), func(r rune) bool { return r <= ' ' || r > '~' }) {
		i.Address = "" // anything may come as one, and it is to be shown
	}
	return Seen{Session: i.Session, ID: i.ID, Nick: i.Nick, Address: i.Address, Class: i.Class, Hub: i.Hub, Weight: i.Weight, Term: i.Term, LinkOnly: i.LinkOnly, Away: i.Away}
}

func (s Seen) claim() election.Claim {
	return election.Claim{ID: election.ID(s.Session), Class: election.Class(s.Class), Weight: s.Weight, Term: s.Term}
}

// Followers are how many the weight of a hub stands for, at least and at most.
func (s Seen) Followers() (least, most int) {
	if s.Weight == 0 || s.Weight > 62 {
		return 0, map[bool]int{true: 0, false: math.MaxInt}[s.Weight == 0]
	}
	return 1 << (s.Weight - 1), 1<<s.Weight - 1
}
