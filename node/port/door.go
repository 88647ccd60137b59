package port

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	maxAdmitting      = 64 // an admission allocates 64 KB and takes 0.4 ms of CPU (identity's BenchmarkAdmission)
	maxAdmittingPerIP = 4
	maxAdmittingPer64 = 16   // of one IPv6 network: whoever is in it has all of its addresses
	maxWaiting        = 1024 // each a file descriptor and what the kernel buffers of it
	maxKnown          = 1024 // hosts that somebody of the network is at
)

// A door decides whose turn it is: in order of arrival, passing over hosts that have all the places they may have, and those of an IPv6 network that has. Hosts that somebody of the network is known to be at have as many
// places again to themselves: who has thousands of addresses keeps strangers waiting, over IPv6 only those of the same 64 bits, but not them. It counts and decides; starting, closing and logging is the caller's.
type door struct {
	perIP int // of admitted; negative: no bound

	mu        sync.Mutex // guards all below
	admitting crowd
	total     int // in admission
	admitted  map[netip.Addr]int
	known     map[netip.Addr]bool
	waiting   []arrival // oldest first
	queued    crowd     // those of waiting
}

// An arrival is a connection that has not been admitted.
type arrival struct {
	conn net.Conn
	ip   netip.Addr
	at   time.Time
}

func newDoor(perIP int) door {
	return door{perIP: perIP, admitting: newCrowd(), queued: newCrowd(), admitted: make(map[netip.Addr]int), known: make(map[netip.Addr]bool)}
}

// A crowd counts connections by host, and by network: an IPv4 address is one of its own.
type crowd struct {
	of map[netip.Addr]int
	in map[netip.Prefix]int
}

func newCrowd() crowd { return crowd{make(map[netip.Addr]int), make(map[netip.Prefix]int)} }

func network(ip netip.Addr) netip.Prefix {
	p, _ := ip.Prefix(min(ip.BitLen(), 64))
	return p
}

func (c crowd) add(ip netip.Addr, n int) {
	count(c.of, ip, n)
	count(c.in, network(ip), n)
}

// arrive adds a connection. It reports whether its turn is now; if drop is not nil, that one has to be closed.
func (d *door) arrive(a arrival) (now bool, drop net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.beginLocked(a.ip) { // nobody waits who could have gone before: only an end of another makes place
		return true, nil
	}
	d.waiting = append(d.waiting, a)
	d.queued.add(a.ip, 1)
	if len(d.waiting) > maxWaiting {
		drop = d.evictLocked()
	}
	return false, drop
}

// leave says that an admission from ip ended, one way or the other. It returns those whose turn it is now: while somebody
// waits somebody is in admission, so everybody's turn comes.
func (d *door) leave(ip netip.Addr) (turn []arrival) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total--
	d.admitting.add(ip, -1)
	stay := d.waiting[:0]
	for _, a := range d.waiting {
		if d.beginLocked(a.ip) {
			turn = append(turn, a)
			d.queued.add(a.ip, -1)
		} else {
			stay = append(stay, a)
		}
	}
	clear(d.waiting[len(stay):]) // or they would be kept from the garbage collector
	d.waiting = stay
	return turn
}

// beginLocked counts one more in admission, if ip may have it.
func (d *door) beginLocked(ip netip.Addr) bool {
	places, neighbours := maxAdmitting, maxAdmittingPer64
	if d.known[ip] {
		places, neighbours = 2*places, 2*places
	}
	if d.total >= places || d.admitting.of[ip] == maxAdmittingPerIP || d.admitting.in[network(ip)] >= neighbours {
		return false
	}
	d.total++
	d.admitting.add(ip, 1)
	return true
}

// evictLocked takes out the newest of the host that has the most waiting, in the network that has: a flood pushes out itself.
func (d *door) evictLocked() net.Conn {
	most, crowded, out := 0, 0, 0
	for i, a := range slices.Backward(d.waiting) {
		in := d.queued.in[network(a.ip)]
		if of := d.queued.of[a.ip]; in > crowded || in == crowded && of > most {
			most, crowded, out = of, in, i
		}
	}
	a := d.waiting[out]
	d.waiting = slices.Delete(d.waiting, out, out+1)
	d.queued.add(a.ip, -1)
	return a.conn
}

// enter counts one more admitted connection, if ip may have it.
func (d *door) enter(ip netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.perIP >= 0 && d.admitted[ip] >= d.perIP {
		return false
	}
	d.admitted[ip]++
	d.knowLocked(ip)
	return true
}

// know says that somebody of the network is at ip.
func (d *door) know(ip netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.knowLocked(ip)
}

func (d *door) knowLocked(ip netip.Addr) {
	if !d.known[ip] && len(d.known) >= maxKnown {
		clear(d.known) // they come again
	}
	d.known[ip] = true
}

// exit takes back what enter counted.
func (d *door) exit(ip netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	count(d.admitted, ip, -1)
}

// count forgets a host at zero: the maps are as large as there are hosts connected now.
func count[K comparable](m map[K]int, k K, n int) {
	if m[k] += n; m[k] <= 0 {
		delete(m, k)
	}
}
