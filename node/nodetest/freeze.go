package nodetest

// Freeze stops the process, as SIGSTOP does: what it would hear waits, until the kernel's buffers are full, and what it does in the meantime, because its timers
// go on here, is on the wire no sooner than Thaw. Connections to it are accepted by the kernel and then not answered.
func (p *Process) Freeze() {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	p.frozen = !p.dead
}

// Thaw lets the process go on.
func (p *Process) Thaw() { p.lan.change(p.thawLocked) }

func (p *Process) thawLocked() {
	p.frozen = false
	for _, l := range p.listeners {
		l.arrived.Broadcast()
	}
	for _, s := range p.sockets {
		s.arrived.Broadcast()
	}
	for _, c := range p.conns {
		c.in.changed.Broadcast()
	}
	held := p.held
	p.held = nil
	for _, send := range held {
		send()
	}
}
