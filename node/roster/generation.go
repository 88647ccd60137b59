package roster

import (
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"earshot/node/port"
)

// A generation is one Memberlist: this process under one name at one address.
type generation struct {
	roster *Roster
	name   string
	addr   netip.Addr
	tr     *transport
	ml     *memberlist.Memberlist
	began  time.Time     // rounds of gossip are counted from then
	met    chan struct{} // closed when it has exchanged states with somebody
	meet   func()

	mu     sync.Mutex
	serial uint32 // of the last Meta
}

// begin makes a generation. Nothing of it is left where that fails.
func (r *Roster) begin(addr netip.Addr, moves int) (*generation, error) {
	r.list.move(moves)
	g := &generation{roster: r, name: nodeName(r.config.Session, moves), addr: addr, tr: newTransport(r, addr)}
	g.met = make(chan struct{})
	g.meet = sync.OnceFunc(func() { close(g.met) })
	c := memberlist.DefaultLANConfig()
	c.Name = g.name
	c.Transport = g.tr
	c.BindAddr, c.BindPort = addr.WithZone("").String(), r.config.Port.Number()
	c.AdvertiseAddr, c.AdvertisePort = c.BindAddr, c.BindPort
	// A dead node is noticed in about 2 s. Who finds several missing waits longer for the next ones, for it may be slow itself: but no more than twice as long, since all of them may be behind
	// a cable that was pulled, and until most of those are given up there is no hub. Rounds of gossip are those in which a node is probed and one between: at rest, what costs is to wake up. What
	// cannot wait for the next is told at once (publish). keeper.mend exchanges states.
	c.ProbeInterval, c.ProbeTimeout = 500*time.Millisecond, 250*time.Millisecond
	c.SuspicionMult, c.SuspicionMaxTimeoutMult, c.AwarenessMaxMultiplier = 3, 2, 2
	c.GossipInterval, c.GossipNodes, c.RetransmitMult = gossipEvery, 6, 6
	c.PushPullInterval, c.TCPTimeout = 0, 2*time.Second
	c.EnableCompression = false
	c.UDPBufferSize = maxSent - sealOverhead - crcOverhead
	c.Delegate, c.Events, c.Alive, c.Merge, c.Conflict = g, g, g, g, g
	c.Logger = log.New(bridge{r.config.Log}, "", 0)
	ml, err := memberlist.Create(c)
	if err != nil {
		g.tr.cancel()
		return nil, fmt.Errorf("join the gossip at %v: %w", addr, err)
	}
	g.ml, g.began = ml, time.Now() // it started its tickers last
	return g, nil
}

// publish gossips the status of now. memberlist would wait until everybody had it, and hold up a newer one; what it has queued is replaced by that.
func (g *generation) publish() { _ = g.ml.UpdateNode(time.Nanosecond) }

// tell sends what is to be gossiped to one member now, for a ping takes it along, and reports whether it was answered.
func (g *generation) tell(to node) bool {
	_, err := g.ml.Ping(to.name, net.UDPAddrFromAddrPort(to.address))
	return err == nil
}

// end leaves, and tells that to some, twice where they do not answer within a quarter of a second.
func (g *generation) end(to []node) {
	_ = g.ml.Leave(time.Nanosecond)
	var told sync.WaitGroup
	for _, n := range to {
		told.Go(func() {
			if !g.tell(n) {
				g.tell(n)
			}
		})
	}
	told.Wait()
	_ = g.ml.Shutdown() // it has no error to tell
}

// join exchanges states with who is at that address, or where else that node may be. refused says that nobody is there: nothing listens.
func (g *generation) join(to node) (joined, refused bool) {
	dialled := g.tr.watch(to.address)
	// A zone would make memberlist ask a name server.
	n, _ := g.ml.Join([]string{to.name + "/" + netip.AddrPortFrom(to.address.Addr().WithZone(""), to.address.Port()).String()})
	if n > 0 {
		g.meet()
	}
	return n > 0, port.Refused(dialled())
}

func (g *generation) nodeAddr(n *memberlist.Node) netip.AddrPort {
	a, _ := netip.AddrFromSlice(n.Addr)
	return netip.AddrPortFrom(zoned(a.Unmap(), g.addr), n.Port)
}

// What follows is called by memberlist, most of it under its lock.

// NodeMeta returns this instance's status, signed.
func (g *generation) NodeMeta(int) []byte {
	r := g.roster
	s := r.published()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.serial++
	gate := r.config.Gate
	at := netip.AddrPortFrom(g.addr, uint16(r.config.Port.Number()))
	return signMeta(gate.Identity(), gate.Network().ID(), g.name, at, signed{Status: s, version: r.config.Version, serial: g.serial})
}

func (g *generation) NotifyAlive(n *memberlist.Node) error { return g.roster.list.admit(g, n) }

func (g *generation) NotifyJoin(n *memberlist.Node) { g.NotifyUpdate(n) }

func (g *generation) NotifyUpdate(n *memberlist.Node) {
	if g.roster.list.set(g, n) {
		g.roster.config.Port.Know(g.nodeAddr(n).Addr())
		g.roster.changed()
	}
}

func (g *generation) NotifyLeave(n *memberlist.Node) {
	if was, changed := g.roster.list.remove(g, n); changed {
		g.roster.missed(was)
		g.roster.changed()
	}
}

func (g *generation) NotifyMerge(peers []*memberlist.Node) error {
	if len(peers) > maxNodes {
		return errFull
	}
	return nil
}

// NotifyConflict: two have one name. Only this process can give its own (see admit), and a copy of it.
func (g *generation) NotifyConflict(existing, _ *memberlist.Node) {
	if existing.Name == g.name {
		g.roster.config.Copied()
	}
}

func (g *generation) NotifyMsg([]byte)                {}
func (g *generation) GetBroadcasts(int, int) [][]byte { return nil }
func (g *generation) LocalState(bool) []byte          { return nil }
func (g *generation) MergeRemoteState([]byte, bool)   {}

// A bridge takes memberlist's log lines. They are about packets and timeouts, which are its business: all are for debugging.
type bridge struct{ log *slog.Logger }

func (b bridge) Write(line []byte) (int, error) {
	b.log.Debug("memberlist", "text", strings.TrimSpace(string(line)))
	return len(line), nil
}
