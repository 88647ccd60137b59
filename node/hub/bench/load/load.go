package load

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A Spec is one run.
type Spec struct {
	Address  string
	Protocol string // earshot, nats, jetstream, irc, length
	Mode     string // flood, paced, idle, stuck, join, fill, behind
	PID      int    // of the server

	Receivers, Senders, Rooms int
	Private                   bool // of earshot: in a private room, of which all are members
	Size                      int  // bytes of a message
	Window                    int64
	Acks                      bool // the window waits for acknowledgements too
	Run                       int  // messages under one signature, at most
	Rate                      int  // messages a second
	Messages                  int  // of history
	Warm, Time                time.Duration
	Parallel                  int // connections made at once
}

// Result is what a run saw; what it did not look at is left out.
type Result map[string]float64

// client is one connection.
type client struct {
	id    int
	buf   []byte
	n     int
	recv  atomic.Int64 // messages; of a sender: those acknowledged
	bytes atomic.Int64
	dead  atomic.Bool
	write func([]byte) (int, error) // may be short where the other end does not read
	close func() error              // of earshot

	// What follows is the polling goroutine's.
	at     int64   // when what is read now arrived, ns since 1970
	delays []int32 // µs
	last   int64   // time of the last delivery, ns
	gap    int64   // the longest time between two, ns
}

// arrived notes k messages.
func (g *generator) arrived(c *client, k int64) {
	if k == 0 {
		return
	}
	if c.last != 0 && c.at-c.last > c.gap {
		c.gap = c.at - c.last
	}
	c.last = c.at
	c.recv.Add(k)
}

// delivered looks at one message where delays are measured.
func (g *generator) delivered(c *client, body []byte) {
	if g.timing.Load() {
		if n := number(body); 0 < n && n <= len(g.paced) {
			c.delays = append(c.delays, int32((c.at-g.paced[n-1])/1000))
		}
	}
}

// number reads the one that a message begins with; 0: it has none.
func number(b []byte) (t int) {
	if len(b) < 16 {
		return 0
	}
	for _, ch := range b[:16] {
		switch {
		case ch >= '0' && ch <= '9':
			t = t<<4 | int(ch-'0')
		case ch >= 'a' && ch <= 'f':
			t = t<<4 | int(ch-'a'+10)
		default:
			return 0
		}
	}
	return t
}

// text returns a message of that size that begins with a number.
func text(size int, n int) []byte {
	b := fmt.Appendf(nil, "%016x", n)
	for len(b) < size {
		b = append(b, "abcdefghijklmnopqrstuvwxyz"[len(b)%26])
	}
	return b
}

// engine opens connections and moves what they receive.
type engine interface {
	// dial connects a client and begins to read, unless it is deaf.
	dial(id int, r role) (*client, error)
	// poll lets input be processed for at most d.
	poll(d time.Duration)
}

// role is what a client is for.
type role uint8

const (
	talker role = iota
	receiver
	deaf // a receiver that never reads
)

// An author makes what a sender writes.
type author interface {
	// say returns the bytes of n messages.
	say(n int, text []byte) ([]byte, error)
}

// generator is one run.
type generator struct {
	Spec
	engine engine
	author func(i int) (author, error)
	timing atomic.Bool

	receivers []*client
	senders   []*sender
	sent      int64
	due       []byte  // of the message that is due next
	paced     []int64 // when each message was written, ns since 1970, by its number
	lost      int64
	lowest    int64 // of the receivers' counts, when last looked at
	moved     time.Time
}

// sender is a client that says something.
type sender struct {
	*client
	author
	buf, rest []byte // what was to be written last, and what is left of it
	sent      int64
}

func newGenerator(s Spec) (*generator, error) {
	g := &generator{Spec: s}
	if s.Protocol == "earshot" {
		e, err := newEarshot(g)
		g.engine, g.author = e, e.author
		return g, err
	}
	p, ok := protocols[s.Protocol]
	if !ok {
		return nil, fmt.Errorf("protocol %q is not known", s.Protocol)
	}
	g.author = func(int) (author, error) { return plain{p}, nil }
	poll, err := newPoller(g.delays())
	g.engine = &plainEngine{poller: poll, g: g, p: p}
	return g, err
}

// connect opens clients [from, to), some at a time, and reads meanwhile.
func (g *generator) connect(from, to int, r role) ([]*client, error) {
	out := make([]*client, to-from)
	var next atomic.Int64
	next.Store(int64(from))
	var work sync.WaitGroup
	failed := make(chan error, g.Parallel)
	for range g.Parallel {
		work.Go(func() {
			for {
				id := int(next.Add(1) - 1)
				if id >= to {
					return
				}
				c, err := g.engine.dial(id, r)
				if err != nil {
					failed <- fmt.Errorf("client %d: %w", id, err)
					return
				}
				c.id = id
				out[id-from] = c
			}
		})
	}
	done := make(chan struct{})
	go func() { work.Wait(); close(done) }()
	for {
		select {
		case err := <-failed:
			return nil, err
		case <-done:
			select {
			case err := <-failed:
				return nil, err
			default:
				return out, nil
			}
		default:
			g.engine.poll(5 * time.Millisecond)
		}
	}
}

// join connects the receivers and the senders.
func (g *generator) join() (err error) {
	if g.receivers, err = g.connect(0, g.Receivers, receiver); err != nil {
		return err
	}
	return g.hire()
}

// hire connects the senders.
func (g *generator) hire() error {
	for i := range g.Senders {
		one, err := g.connect(g.Receivers+i, g.Receivers+i+1, talker)
		if err != nil {
			return err
		}
		a, err := g.author(i)
		if err != nil {
			return err
		}
		g.senders = append(g.senders, &sender{client: one[0], author: a})
	}
	return nil
}

// settle polls until no byte has come for a while.
func (g *generator) settle(quiet time.Duration) {
	last, at := int64(-1), time.Now()
	for time.Since(at) < quiet {
		g.engine.poll(20 * time.Millisecond)
		if sum := g.bytes(); sum-last > int64(50*len(g.receivers)) || last < 0 { // but for pings
			last, at = sum, time.Now()
		}
	}
	for _, c := range g.receivers {
		c.recv.Store(0)
	}
	g.moved = time.Now()
}

// slowest is how far all have come.
func (g *generator) slowest() int64 {
	low := int64(1 << 62)
	for _, c := range g.receivers {
		if !c.dead.Load() {
			low = min(low, c.recv.Load())
		}
	}
	if g.Acks {
		acks := int64(0)
		for _, s := range g.senders {
			acks += s.recv.Load()
		}
		low = min(low, acks)
	}
	return low
}

// flood says as much as the window allows, spread over the senders.
func (g *generator) flood() error {
	unit := min(int64(g.Run), g.Window)
	if g.sent-g.lowest+unit > g.Window {
		if low := g.slowest(); low > g.lowest {
			g.lowest, g.moved = low, time.Now()
		} else if time.Since(g.moved) > time.Second { // the server has dropped messages: they are forgiven
			for _, c := range g.receivers {
				if d := g.sent - c.recv.Load(); d > 0 && !c.dead.Load() {
					g.lost += d
					c.recv.Add(d)
				}
			}
			g.lowest, g.moved = g.sent, time.Now()
		}
	}
	for i, s := range g.senders {
		room := (g.Window - (g.sent - g.lowest)) / int64(len(g.senders)-i)
		if len(s.rest) == 0 {
			s.buf = s.buf[:0]
			for ; room >= unit; room -= unit {
				b, err := s.say(int(unit), text(g.Size, 0))
				if err != nil {
					return err
				}
				s.buf = append(s.buf, b...)
				s.sent += unit
				g.sent += unit
			}
			s.rest = s.buf
		}
		if len(s.rest) > 0 {
			n, err := s.client.write(s.rest)
			if err != nil {
				return fmt.Errorf("sender %d: %w", i, err)
			}
			s.rest = s.rest[n:]
		}
	}
	return nil
}

// pace says one message each time it is due, which is signed before that.
func (g *generator) pace(next *time.Time) (wait time.Duration, err error) {
	s := g.senders[len(g.paced)%len(g.senders)]
	if g.due == nil {
		if g.due, err = s.say(1, text(g.Size, len(g.paced)+1)); err != nil {
			return 0, err
		}
	}
	now := time.Now()
	if now.Before(*next) {
		return next.Sub(now), nil
	}
	g.paced = append(g.paced, now.UnixNano())
	if n, err := s.client.write(g.due); err != nil || n < len(g.due) {
		return 0, fmt.Errorf("%d of %d bytes written: %w", n, len(g.due), err)
	}
	g.due = nil
	g.sent++
	*next = next.Add(time.Second / time.Duration(g.Rate))
	return max(0, time.Until(*next)), nil
}

// during takes steps until d has passed; a step says how long there is nothing to do.
func (g *generator) during(d time.Duration, step func() (time.Duration, error)) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		wait, err := step()
		if err != nil {
			return err
		}
		g.engine.poll(wait)
	}
	return nil
}

func (g *generator) messages() (n int64) {
	for _, c := range g.receivers {
		n += c.recv.Load()
	}
	return n - g.lost
}

func (g *generator) bytes() (n int64) {
	for _, c := range g.receivers {
		n += c.bytes.Load()
	}
	return n
}

// Run makes one run.
func Run(s Spec) (Result, error) {
	g, err := newGenerator(s)
	if err != nil {
		return nil, err
	}
	mode, ok := modes[s.Mode]
	if !ok {
		return nil, fmt.Errorf("mode %q is not known", s.Mode)
	}
	r := Result{}
	if err := mode(g, r); err != nil {
		return nil, err
	}
	r["rss_kb"], r["hwm_kb"] = statusKB(s.PID, "VmRSS:"), statusKB(s.PID, "VmHWM:")
	return r, nil
}

// self is this process.
var self = os.Getpid
