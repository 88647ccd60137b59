package nodetest

import "syscall"

// Reset breaks one of the streams that end at a host, as a router does that forgets it: what was on its way is lost, at whichever byte it was, and both ends hear
// ECONNRESET. It reports whether there was one.
func (l *LAN) Reset(host string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	var conns []*conn
	for _, p := range l.hostLocked(host).processes {
		conns = append(conns, p.conns...)
	}
	if len(conns) == 0 {
		return false
	}
	c := conns[l.rng.IntN(len(conns))]
	for _, p := range []*pipe{c.in, c.out} {
		keep := l.rng.IntN(len(p.ready) + 1)
		p.size -= len(p.ready) - keep
		p.ready = p.ready[:keep]
		p.dropLocked()
		p.end = syscall.ECONNRESET
		p.to.resetLocked()
	}
	return true
}
