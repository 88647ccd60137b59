package identity

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipe returns the two ends of a connection in memory that, unlike net.Pipe, buffers what is written, as TCP does.
func pipe() (*pipeEnd, *pipeEnd) {
	a, b := new(stream), new(stream)
	a.changed.L, b.changed.L = &a.mu, &b.mu
	return &pipeEnd{in: a, out: b}, &pipeEnd{in: b, out: a}
}

type pipeEnd struct{ in, out *stream }

func (p *pipeEnd) Read(b []byte) (int, error)       { return p.in.read(b) }
func (p *pipeEnd) Write(b []byte) (int, error)      { return p.out.write(b) }
func (p *pipeEnd) Close() error                     { p.in.close(true); p.out.close(false); return nil }
func (p *pipeEnd) SetDeadline(t time.Time) error    { return p.in.setDeadline(t) }
func (*pipeEnd) SetReadDeadline(time.Time) error    { panic("unused") }
func (*pipeEnd) SetWriteDeadline(t time.Time) error { return nil } // tls.Conn.Close sets it; writes never wait
func (*pipeEnd) LocalAddr() net.Addr                { return &net.TCPAddr{} }
func (*pipeEnd) RemoteAddr() net.Addr               { return &net.TCPAddr{} }

// deadline returns what SetDeadline was last told.
func (p *pipeEnd) deadline() time.Time {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	return p.in.deadline
}

// closed reports whether this end was closed.
func (p *pipeEnd) closed() bool {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	return p.in.dead
}

// stream is one direction.
type stream struct {
	mu       sync.Mutex // guards all below
	changed  sync.Cond
	buffer   []byte
	deadline time.Time
	timer    *time.Timer
	ended    bool // the writer closed
	dead     bool // the reader closed
}

func (s *stream) read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.dead:
			return 0, net.ErrClosed
		case !s.deadline.IsZero() && !time.Now().Before(s.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(s.buffer) > 0:
			n := copy(b, s.buffer)
			s.buffer = s.buffer[n:]
			return n, nil
		case s.ended:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.dead {
		return 0, io.ErrClosedPipe
	}
	s.buffer = append(s.buffer, b...)
	s.changed.Broadcast()
	return len(b), nil
}

func (s *stream) close(reader bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reader {
		s.dead = true
		if s.timer != nil {
			s.timer.Stop()
		}
	} else {
		s.ended = true
	}
	s.changed.Broadcast()
}

func (s *stream) setDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return net.ErrClosed
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	s.deadline = t
	if !t.IsZero() {
		s.timer = time.AfterFunc(time.Until(t), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.changed.Broadcast()
		})
	}
	s.changed.Broadcast()
	return nil
}
