package node

import (
	"maps"
	"math/bits"
	"slices"

	"earshot/node/identity"
	"earshot/node/wire"
)

// look returns what is said to who only looks (package probe): HELLO, and whom this node sees. A dialer of another version gets it too, and makes of it what it can: a look
// is no reason to tell anybody here to upgrade.
func (n *Node) look() []byte {
	hello := n.seat.hello(nil)
	hello.Term = n.seat.claimed()
	v := n.view()
	return wire.Append(wire.Append(nil, wire.TypeHello, &hello), wire.TypeView, &v)
}

// view is the roster and, as the hub tells of them, the people: those who were reached by hand are in no roster, and a roster has no nicks.
func (n *Node) view() wire.View {
	v := wire.View{Clock: n.gather.clock.Local().UnixMilli()}
	s := n.Snapshot()
	switch s.Hub.State {
	case Serving:
		v.Hub, v.Term = n.session, s.Hub.Term
	case Linked:
		to := n.seat.elsewhere()
		v.Hub, v.Term = to.Hub, to.Term
	}
	linked := n.people.instances()
	seen := map[identity.Session]bool{}
	add := func(i wire.Instance, p wire.Person) {
		i.Nick, i.LinkOnly, i.Away = p.Nick, p.LinkOnly, p.Away
		if len(i.Address) > wire.MaxReachable {
			i.Address = ""
		}
		v.Here = append(v.Here, i)
		seen[i.Session] = true
	}
	for _, c := range s.Candidates {
		i := wire.Instance{Session: c.Session, ID: c.ID, Class: c.Class, Hub: c.Hub, Weight: c.Weight, Term: c.Term, Address: c.Address}
		p := linked[c.Session]
		if c.Me {
			p = n.seat.self()
			if h := n.seat.current(); h != nil {
				i.Weight = uint8(bits.Len(uint(len(h.Linked()))))
			}
		}
		add(i, p)
	}
	for _, session := range slices.SortedFunc(maps.Keys(linked), func(a, b identity.Session) int { return slices.Compare(a[:], b[:]) }) {
		if p := linked[session]; !seen[session] {
			i := wire.Instance{Session: session, ID: p.ID, Class: p.Class}
			if len(p.Address) > 0 {
				i.Address = p.Address[0]
			}
			add(i, p)
		}
	}
	if len(v.Here) > wire.MaxInstances {
		v.Here, v.More = v.Here[:wire.MaxInstances], true
	}
	return v
}
