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
	maxWaiting        = 1024 // each a file descriptor and what the kernel buffers of it
	maxKnown          = 1024 // hosts that somebody of the network is at
)

// A door decides whose turn it is: in order of arrival, passing over hosts that have all the places they may have. Hosts that somebody of the network is known to be at have as many places again to themselves: who has
// thousands of addresses, as anybody has over IPv6, keeps strangers waiting, but not them. It counts and decides; starting, closing and logging is the caller's.
type door struct {
	perIP int // of admitted; negative: no bound

	mu        sync.Mutex // guards all below
	admitting map[netip.Addr]int
	total     int // sum of admitting
	admitted  map[netip.Addr]int
	known     map[netip.Addr]bool
	waiting   []arrival // oldest first
}

// An arrival is a connection that has not been admitted.
type arrival struct {
	conn net.Conn
	ip   netip.Addr
	at   time.Time
}

func newDoor(perIP int) door {
	return door{perIP: perIP, admitting: make(map[netip.Addr]int), admitted: make(map[netip.Addr]int), known: make(map[netip.Addr]bool)}
}

// arrive adds a connection. It reports whether its turn is now; if drop is not nil, that one has to be closed.
func (d *door) arrive(a arrival) (now bool, drop net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.beginLocked(a.ip) { // nobody waits who could have gone before: only an end of another makes place
		return true, nil
	}
	d.waiting = append(d.waiting, a)
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
	decrement(d.admitting, ip)
	stay := d.waiting[:0]
	for _, a := range d.waiting {
		if d.beginLocked(a.ip) {
			turn = append(turn, a)
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
	places := maxAdmitting
	if d.known[ip] {
		places *= 2
	}
	if d.total >= places || d.admitting[ip] == maxAdmittingPerIP {
		return false
	}
	d.total++
	d.admitting[ip]++
	return true
}

// evictLocked takes out the newest of the host that has the most waiting: a flood pushes out itself.
func (d *door) evictLocked() net.Conn {
	count := make(map[netip.Addr]int)
	most := d.waiting[0].ip
	for _, a := range d.waiting {
		if count[a.ip]++; count[a.ip] > count[most] {
			most = a.ip
		}
	}
	i := len(d.waiting) - 1
	for d.waiting[i].ip != most {
		i--
	}
	out := d.waiting[i].conn
	d.waiting = slices.Delete(d.waiting, i, i+1)
	return out
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
	decrement(d.admitted, ip)
}

// decrement forgets a host at zero: the maps are as large as there are hosts connected now.
func decrement(m map[netip.Addr]int, ip netip.Addr) {
	if m[ip]--; m[ip] <= 0 {
		delete(m, ip)
	}
}
