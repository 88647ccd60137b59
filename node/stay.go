package node

import (
	"encoding/hex"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"earshot/node/message"
)

// A stay is this machine's time at one network while nobody else was there, as alone.json keeps it from one process to the next: what was said alone goes along when others
// come (gatherings.move), also where earshot was started anew meanwhile. Nothing here proves that a machine is where it was, and what was said at home is not for the café: so the
// next process takes a stay up only where it begins at exactly the place that the last one was at, and within stayWithin of its end. Whatever else, the
// lines stay where they were said, and only their author sees them.
type stay struct {
	Addresses []netip.Addr `json:"addresses"` // the place
	Since     time.Time    `json:"since"`     // by the corrected clock, as messages are stamped
	Seen      time.Time    `json:"seen"`      // the last moment it is known of, by the local clock
	Nonces    []string     `json:"nonces"`    // of the processes that spoke, the newest last
}

const (
	// stayWithin is how long earshot may not run and still be believed to be where it was.
	stayWithin = 10 * time.Minute
	// stayEvery is how often a stay in which something was said is written down, for the process that crashes.
	stayEvery = time.Minute
	// maxStay bounds the processes of one stay.
	maxStay = 64
)

func (g *gatherings) stayFile() string { return filepath.Join(g.dir, "alone.json") }

// came: this process begins at a network, where the machine has these addresses. The stay that the last process wrote down goes on if this is where it was.
func (g *gatherings) came(addresses []netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.alone == nil || g.dir == "" {
		return
	}
	g.stay.Addresses = place(addresses)
	var last stay
	if err := readJSON(g.stayFile(), &last); err != nil {
		g.log.Warn("cannot tell whether this machine is where it was", "err", err)
		return
	}
	gone := g.clock.Local().Sub(last.Seen)
	if len(addresses) == 0 || !slices.Equal(last.Addresses, g.stay.Addresses) || gone < 0 || gone > stayWithin || last.Since.After(g.since) {
		return
	}
	for _, text := range last.Nonces {
		var nonce message.Nonce
		if b, err := hex.DecodeString(text); err == nil && len(b) == len(nonce) {
			copy(nonce[:], b)
			g.stay.Nonces = append(g.stay.Nonces, text)
			g.spoke = append(g.spoke, nonce)
		}
	}
	g.since = last.Since
}

// moved: the machine has other addresses than before, or had for a moment: another stay begins.
func (g *gatherings) moved(addresses []netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if last := g.stay.Addresses; g.alone != nil && !g.current.alone {
		g.place = last
	} else if len(last) > 0 && !slices.Equal(last, g.place) {
		g.left = -1
	}
	g.arriveLocked()
	g.stay = stay{Addresses: place(addresses), Seen: g.stay.Seen}
}

// place is what the addresses of a machine say of where it is: of those of IPv6 that reach further than a link the network, in which it takes another every day, and after each start (RFC 8981).
func place(addresses []netip.Addr) []netip.Addr {
	where := slices.Clone(addresses)
	for i, a := range where {
		if p, err := a.Prefix(64); err == nil && !a.IsLinkLocalUnicast() {
			where[i] = p.Addr()
		}
	}
	slices.SortFunc(where, netip.Addr.Compare)
	return slices.Compact(where)
}

// keepStay writes the stay down from time to time, where something was said in it; at once where the process ends.
func (g *gatherings) keepStay(end bool) {
	g.mu.Lock()
	s := &g.stay
	if g.alone == nil || g.dir == "" || len(s.Addresses) == 0 || len(s.Nonces) == 0 && g.alone.journal.Last() == g.alone.began ||
		!end && (!g.current.alone || g.clock.Local().Sub(s.Seen).Abs() < stayEvery) {
		g.mu.Unlock()
		return
	}
	for _, nonce := range g.alone.author.Nonces() {
		if text := hex.EncodeToString(nonce[:]); !slices.Contains(g.past, nonce) && !slices.Contains(s.Nonces, text) {
			s.Nonces = append(s.Nonces, text)
		}
	}
	s.Nonces = s.Nonces[max(0, len(s.Nonces)-maxStay):]
	s.Since, s.Seen = g.since, g.clock.Local()
	written := *s
	g.mu.Unlock()
	if err := writeJSON(g.stayFile(), &written); err != nil { // without the lock: a slow disk holds nobody else
		g.log.Warn("cannot write down what was said alone", "err", err)
	}
}
