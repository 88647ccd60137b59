package exchange

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/journal"
	"earshot/node/message"
)

// slow is a connection to which each write takes a while.
type slow struct{ deafened }

func (s *slow) WriteNow(b []byte) (bool, error) {
	time.Sleep(20 * time.Microsecond)
	return s.spoken.WriteNow(b)
}

// After a throng was written to there is a rest, in which what comes goes with the bells; then it is written to at once again.
func TestThrongIsLeftToTheBells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := unlinked(t, journal.Config{})
		conn := &slow{deafened{t: t}}
		const ping = time.Second / 3
		linked(x, throng, conn)
		for _, p := range x.relay.all() {
			p.state, p.mine = nil, listed{message.Public: 0}
			x.hang(p)
		}
		defer func() {
			for _, p := range x.relay.all() {
				x.unhang(p)
			}
		}()
		lines := 0
		say := func() (writes int64) {
			before := conn.times.Load()
			x.bring()
			line(t, x, fmt.Sprint(lines), 1)
			x.brought(1)
			lines++
			return conn.times.Load() - before
		}
		told := func() (n int) {
			for _, p := range x.relay.all() {
				p.mu.Lock()
				if p.at == x.journal.Last() {
					n++
				}
				p.mu.Unlock()
			}
			return n
		}
		time.Sleep(3*ping - 80*time.Millisecond) // the bells ring 80 ms later, and would spare who was written to so lately
		if n := say(); n != throng || told() != throng {
			t.Errorf("of the first line %d links were written to, and %d have it", n, told())
		}
		if n := say(); n != 0 {
			t.Errorf("of the second line %d links were written to at once", n)
		}
		time.Sleep(170 * time.Millisecond)
		if n := told(); n != throng {
			t.Errorf("%d links have the second line after the bells", n)
		}
		time.Sleep(time.Second)
		if n := say(); n != throng || told() != throng {
			t.Errorf("of the third line %d links were written to, and %d have it", n, told())
		}
	})
}
