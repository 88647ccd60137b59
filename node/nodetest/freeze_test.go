package nodetest_test

import (
	"context"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"earshot/node/nodetest"
)

// A frozen process neither hears nor is heard; the kernel takes what comes for it, and the process hears it when it goes on.
func TestFreeze(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		frozen, free := lan.Host("a").Net(), lan.Host("b").Net()
		door, near := listen(t, frozen)
		_, far := listen(t, free)
		c := dial(t, free, "a:4327")
		d, err := door.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		frozen.Freeze()
		start := time.Now()
		time.AfterFunc(5*time.Second, frozen.Thaw)
		dial(t, free, "a:4327")
		write(t, c, "to it")
		write(t, d, "of it")
		if _, err := near.WriteTo([]byte("packet of it"), far.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if _, err := far.WriteTo([]byte("packet to it"), near.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		d.SetReadDeadline(start.Add(time.Second))
		if n, err := d.Read(make([]byte, 10)); n != 0 || !os.IsTimeout(err) {
			t.Errorf("read %d, %v: a frozen process finds out late that its deadline has passed", n, err)
		}
		wantElapsed(t, start, 5*time.Second, 5*time.Second)
		d.SetReadDeadline(time.Time{})
		wantRead(t, d, "to it")
		wantRead(t, c, "of it")
		b := make([]byte, 100)
		if n, _, err := far.ReadFrom(b); string(b[:n]) != "packet of it" {
			t.Errorf("read %q, %v", b[:n], err)
		}
		if n, _, err := near.ReadFrom(b); string(b[:n]) != "packet to it" {
			t.Errorf("read %q, %v", b[:n], err)
		}
		wantElapsed(t, start, 5*time.Second, 5*time.Second+2*time.Millisecond)
	})
}

// Killed while it is frozen, it has not said what its timers made it write meanwhile.
func TestFrozenAndKilled(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		p := lan.Host("a").Net()
		l, _ := listen(t, lan.Host("b").Net())
		c := dial(t, p, "b:4327")
		d, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		write(t, c, "before")
		time.Sleep(time.Second)
		p.Freeze()
		write(t, c, "never")
		time.Sleep(time.Second)
		p.Crash()
		got, err := io.ReadAll(d)
		if wantErr(t, "read", err, syscall.ECONNRESET); string(got) != "before" {
			t.Errorf("%q arrived", got)
		}
	})
}

// One direction alone can be broken, or bad.
func TestAsymmetry(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		_, a := listen(t, lan.Host("a").Net())
		_, b := listen(t, lan.Host("b").Net())
		count := func() (aToB, bToA int) {
			for range 100 {
				if _, err := a.WriteTo([]byte("x"), b.LocalAddr()); err != nil {
					t.Fatal(err)
				}
				if _, err := b.WriteTo([]byte("x"), a.LocalAddr()); err != nil {
					t.Fatal(err)
				}
			}
			a.SetReadDeadline(time.Now().Add(time.Second))
			for ; ; bToA++ {
				if _, _, err := a.ReadFrom(nil); err != nil {
					break
				}
			}
			b.SetReadDeadline(time.Now().Add(time.Second))
			for ; ; aToB++ {
				if _, _, err := b.ReadFrom(nil); err != nil {
					return aToB, bToA
				}
			}
		}
		lan.Deafen("a")
		if to, from := count(); to != 100 || from != 0 {
			t.Errorf("a is deaf: %d of its packets arrived, and %d at it", to, from)
		}
		for _, from := range []string{"a", "b"} {
			_, err := lan.Host(from).Net().Dial(within(t, time.Second), map[string]string{"a": "b", "b": "a"}[from]+":4327")
			wantErr(t, "a handshake needs both directions: dial", err, context.DeadlineExceeded)
		}
		lan.Heal("a")
		lan.Gag("a")
		if to, from := count(); to != 0 || from != 100 {
			t.Errorf("a is gagged: %d of its packets arrived, and %d at it", to, from)
		}
		lan.Heal("a")
		lan.Sever("b", "a")
		if to, from := count(); to != 0 || from != 0 {
			t.Errorf("severed: %d and %d packets arrived", to, from)
		}
		_, c := listen(t, lan.Host("c").Net())
		if _, err := a.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		if _, _, err := c.ReadFrom(nil); err != nil {
			t.Errorf("a and b are severed, and c hears nobody: %v", err)
		}
		lan.Heal("a")
		lan.Mumble("a", 50)
		if to, from := count(); to < 30 || to > 70 || from != 100 {
			t.Errorf("a mumbles: %d of its packets arrived, and %d at it", to, from)
		}
		lan.Heal("a")
		if to, from := count(); to != 100 || from != 100 {
			t.Errorf("healed: %d and %d packets arrived", to, from)
		}
	})
}

// A host with another address is found at that one, and what was opened at the old one hears nothing more.
func TestRenumber(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		door, _ := listen(t, lan.Host("a").Net())
		other := lan.Host("b").Net()
		c := dial(t, other, "a:4327")
		d, err := door.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		old := lan.Host("a").IP()
		if now := lan.Renumber("a"); now == old || lan.Host("a").IP() != now {
			t.Fatalf("from %v to %v", old, now)
		}
		write(t, c, "to it")
		d.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := d.Read(make([]byte, 10)); n != 0 || !os.IsTimeout(err) {
			t.Errorf("read %d, %v over the old address", n, err)
		}
		_, err = other.Dial(within(t, time.Second), old.String()+":4327")
		wantErr(t, "dial the old address", err, syscall.EHOSTUNREACH)
		write(t, dial(t, other, lan.Host("a").IP().String()+":4327"), "hello")
	})
}
