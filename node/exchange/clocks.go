package exchange

import (
	"net"
	"sort"
	"time"

	"earshot/node/wire"
)

// What time it is. The hub knows the clocks of all machines linked, by their BEATs; of three or more it takes the median, goes by that itself, and tells it to
// everyone: a machine whose clock is wrong neither drags the others, nor dates what is said there. What was vouched for once runs on in every machine, and is
// passed on to who knows no better, by followers too: a log that some would refuse for its day is then written by nobody who could know. What a single follower says
// may be a lie, though: a hub believes it only while that one is linked, and tells nobody; with a third machine there is a median.

// maxAge is how old a BEAT may be for its time to be taken. It may be as old as the reader's last wait for a frame: who did not run for a while, or had no time to
// read, finds at once what came meanwhile. What is waited for comes every second, or nearly.
const maxAge = 2 * beatEvery

// minClocks is how many clocks make a median (never the hub's own alone: one wrong hub would drag everyone).
const minClocks = 3

// takeTime takes the time from a BEAT that is not too old.
func (p *peer) takeTime(b *wire.Beat) {
	x := p.exchange
	if p.old() {
		return
	}
	if p.Hub {
		p.mu.Lock()
		p.clock, p.clocked = time.UnixMilli(b.Clock), time.Now()
		p.mu.Unlock()
	}
	x.correct(p, b)
	if x.config.Skew != nil {
		x.config.Skew(x.skew(b))
	}
}

// old reports whether what is read now may be too old to tell the time by.
func (p *peer) old() bool { return p.journal.Clock().Local().Sub(p.since) > maxAge }

// correct goes by the time in a BEAT; not by one of which nothing is kept any more: nothing could be said then.
func (x *Exchange) correct(p *peer, b *wire.Beat) {
	clock, told := x.journal.Clock(), b.Vouched && x.journal.Keeps(time.UnixMilli(b.Net))
	if p.Hub {
		if net, ok := x.median(); ok {
			clock.Vouch(net)
			return
		}
		if _, vouched := clock.Now(); !vouched && told {
			if net, ok := x.count(); ok { // this clock is one too many for the median that was taken a moment ago
				clock.Vouch(net)
			} else {
				clock.Believe(time.UnixMilli(b.Net), p)
			}
		}
		return
	}
	if told {
		clock.Vouch(time.UnixMilli(b.Net))
	}
}

// skew is how far this machine's clock is off: by what is vouched for, or else by the one that sent b.
func (x *Exchange) skew(b *wire.Beat) (off time.Duration, vouched bool) {
	clock := x.journal.Clock()
	if now, ok := clock.Now(); ok {
		return clock.Local().Sub(now), true
	}
	return clock.Local().Sub(time.UnixMilli(b.Clock)), false
}

// vouched is the time that this end vouches for, if it does.
func (x *Exchange) vouched(hub bool) (time.Time, bool) {
	if hub {
		if net, ok := x.median(); ok {
			return net, true
		}
	}
	return x.journal.Clock().Sure()
}

// medianFor is how long a median runs on, and medianLink how much longer for each link: BEATs of all links come together, and each would look at all clocks.
const medianFor, medianLink = 100 * time.Millisecond, 100 * time.Microsecond

// median is the network's time by the clocks of the machines linked and this one's, if there are enough. Who asks while another counts gets the last one: thousands would count at once otherwise,
// each for all, and keep everything else from running.
func (x *Exchange) median() (time.Time, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	age := time.Since(x.netAt)
	if x.counting || age < medianFor+time.Duration(len(x.links))*medianLink {
		return x.net.Add(age), x.netKnown
	}
	x.counting = true
	x.mu.Unlock()
	net, ok := x.count()
	x.mu.Lock()
	x.net, x.netKnown, x.netAt, x.counting = net, ok, time.Now(), false
	return net, ok
}

// count takes the median. A machine has one clock, however many links and host ids it claims to have: one counts for an address, too, that of the link that came first.
func (x *Exchange) count() (time.Time, bool) {
	seen := map[string]bool{string(x.config.Host[:]): true}
	clocks := []time.Time{x.journal.Clock().Local()}
	for _, p := range x.relay.all() {
		if now, ok := p.now(); ok && !seen[string(p.Host[:])] {
			if address := p.address(); !seen[address] {
				seen[string(p.Host[:])], seen[address] = true, true
				clocks = append(clocks, now)
			}
		}
	}
	if len(clocks) < minClocks {
		return time.Time{}, false
	}
	sort.Slice(clocks, func(i, j int) bool { return clocks[i].Before(clocks[j]) })
	return clocks[(len(clocks)-1)/2], true
}

// now is what the peer's clock shows by now, if that is known.
func (p *peer) now() (t time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.clocked.IsZero() {
		return t, false
	}
	return p.clock.Add(time.Since(p.clocked)), true
}

// address is the peer's IP address.
func (p *peer) address() string {
	a := p.Conn.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(a); err == nil {
		return host
	}
	return a
}
