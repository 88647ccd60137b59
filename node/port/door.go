package port

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"earshot/node/identity"
)

const (
	maxAdmitting      = 64 // a TLS handshake takes about 50 KB and 1 ms of CPU: this bounds both
	maxAdmittingPerIP = 4
	maxWaiting        = 1024 // each a file descriptor and what the kernel buffers of it
)

// A door decides whose turn it is: in order of arrival, passing over hosts that have all the places they may have. It counts
// and decides; starting, closing and logging is the caller's.
type door struct {
	perIP int // of admitted; negative: no bound

	mu        sync.Mutex // guards all below
	admitting map[netip.Addr]int
	total     int // sum of admitting
	admitted  map[netip.Addr]int
	waiting   []arrival // oldest first
}

// An arrival is a connection that has not been admitted.
type arrival struct {
	conn net.Conn
	ip   netip.Addr
	at   time.Time
}

func newDoor(perIP int) door {
	return door{perIP: perIP, admitting: make(map[netip.Addr]int), admitted: make(map[netip.Addr]int)}
}

// arrive adds a connection. It returns those whose turn it is now, and those to close.
func (d *door) arrive(a arrival) (turn, drop []arrival) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.beginLocked(a.ip) { // nobody waits who could have gone before: only an end of another makes place
		return []arrival{a}, nil
	}
	d.waiting = append(d.waiting, a)
	if len(d.waiting) > maxWaiting {
		drop = []arrival{d.evictLocked()}
	}
	return nil, drop
}

// leave says that an admission from ip ended, one way or the other. It returns the same.
func (d *door) leave(ip netip.Addr) (turn, drop []arrival) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total--
	decrement(d.admitting, ip)
	return d.nextLocked()
}

// beginLocked counts one more in admission, if ip may have it.
func (d *door) beginLocked(ip netip.Addr) bool {
	if d.total == maxAdmitting || d.admitting[ip] == maxAdmittingPerIP {
		return false
	}
	d.total++
	d.admitting[ip]++
	return true
}

// nextLocked takes out of the queue whose turn it is, and who has waited for longer than a dialler stays.
func (d *door) nextLocked() (turn, late []arrival) {
	now := time.Now()
	stay := d.waiting[:0]
	for _, a := range d.waiting {
		switch {
		case now.Sub(a.at) >= identity.AdmissionTimeout:
			late = append(late, a)
		case d.beginLocked(a.ip):
			turn = append(turn, a)
		default:
			stay = append(stay, a)
		}
	}
	clear(d.waiting[len(stay):]) // or they would be kept from the garbage collector
	d.waiting = stay
	return turn, late
}

// evictLocked takes out the newest of the host that has the most waiting: a flood pushes out itself.
func (d *door) evictLocked() arrival {
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
	out := d.waiting[i]
	d.waiting = append(d.waiting[:i], d.waiting[i+1:]...)
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
	return true
}

// exit takes back what enter counted.
func (d *door) exit(ip netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	decrement(d.admitted, ip)
}

// shut empties the queue.
func (d *door) shut() []arrival {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.waiting
	d.waiting = nil
	return out
}

// decrement forgets a host at zero: the maps are as large as there are hosts connected now.
func decrement(m map[netip.Addr]int, ip netip.Addr) {
	if m[ip]--; m[ip] <= 0 {
		delete(m, ip)
	}
}
