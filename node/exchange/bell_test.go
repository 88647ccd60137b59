package exchange

import (
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/journal"
)

// A spoken connection counts what is written to it without waiting, and how many goroutines there are then.
type spoken struct {
	net.Conn
	times, most atomic.Int64
}

func (s *spoken) WriteNow([]byte) (bool, error) {
	s.times.Add(1)
	s.most.Store(max(s.most.Load(), int64(runtime.NumGoroutine())))
	return true, nil
}

func (s *spoken) Flush() error { return nil }

// The links of a phase are spoken to three times a second, one after the other, until they end: no goroutine begins for each.
func TestBell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := unlinked(t, journal.Config{})
		var conn spoken
		var links []*peer
		const many = 100
		for i := range 2 * many {
			p := newPeer(x, &Link{Conn: &conn, Hub: true, Ping: time.Second / 3, Phase: time.Duration(i/many) * 500 * time.Millisecond})
			p.tailing, p.cursor = true, *x.journal.Follow(x.journal.Last())
			p.turn.set(true)
			x.hang(p)
			links = append(links, p)
		}
		before := int64(runtime.NumGoroutine())
		spoken := func(want int) {
			t.Helper()
			conn.times.Store(0)
			time.Sleep(10 * time.Second)
			if n := int(conn.times.Load()); n < want*29 || n > want*31 {
				t.Errorf("%d links were spoken to %d times in 10 s", want, n)
			}
		}
		spoken(2 * many)
		if more := conn.most.Load() - before; more > 4 {
			t.Errorf("%d goroutines began", more)
		}
		for _, p := range links[:many+1] {
			p.mu.Lock()
			p.gone = true
			p.mu.Unlock()
			x.unhang(p)
		}
		spoken(many - 1)
		for _, p := range links[:many] {
			p.gone = false
			x.hang(p)
		}
		spoken(2*many - 1)
		for _, p := range links {
			x.unhang(p)
		}
		spoken(0)
	})
}

// Who is written to anyway gets no PING, and BEAT with what is written; when that ends it hears something as soon as it must.
func TestBellIsSilentWhereThereIsNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ping = time.Second / 3
		x := unlinked(t, journal.Config{})
		var conn spoken
		p := newPeer(x, &Link{Conn: &conn, Hub: true, Ping: ping})
		p.tailing, p.cursor = true, *x.journal.Follow(x.journal.Last())
		p.turn.set(true)
		x.hang(p)
		defer x.unhang(p)
		time.Sleep(time.Second)
		for range 10 { // something else is written all the time, which takes no BEAT along: one a second is written by itself
			before := conn.times.Load()
			for range 40 {
				time.Sleep(25 * time.Millisecond)
				p.spoke(time.Since(p.exchange.born))
			}
			if n := conn.times.Load() - before; n != 1 || len(p.answers) > 0 {
				t.Errorf("spoken to %d times in a second in which it was written to, and %d bytes wait", n, len(p.answers))
			}
		}
		for i := range 30 {
			time.Sleep(time.Duration(i) * 11 * time.Millisecond)
			p.spoke(time.Since(p.exchange.born))
			before := conn.times.Load()
			time.Sleep(ping + ping/lately + time.Millisecond)
			if conn.times.Load() == before {
				t.Errorf("%d: nothing was written for %v", i, ping+ping/lately)
			}
		}
	})
}
