package node

import (
	"maps"

	"earshot/node/identity"
	"earshot/node/message"
)

// Memory is what a process keeps of itself in memory alone. A virtual machine that is copied while it runs has it twice.
type Memory struct {
	Session identity.Session
	Nonces  map[identity.Realm]message.Nonce // of the logs that are being written, by realm
}

// Memory returns this process's as it is now.
func (n *Node) Memory() Memory {
	return Memory{n.session, n.gather.nonces()}
}

// copied: another process has this one's memory.
func (n *Node) copied() {
	n.notice("this machine was copied while earshot ran, and the copy is here", "start earshot again on one of the two: until then they are taken for one")
}

// nonces are those in use in the gatherings that are open, the one of who is alone left out.
func (g *gatherings) nonces() map[identity.Realm]message.Nonce {
	g.mu.RLock()
	defer g.mu.RUnlock()
	out := maps.Clone(g.copied)
	if out == nil {
		out = map[identity.Realm]message.Nonce{}
	}
	for _, at := range []*gathering{g.current, g.earlier} {
		if at != nil && !at.alone {
			out[at.realm] = at.author.Nonce()
		}
	}
	return out
}
