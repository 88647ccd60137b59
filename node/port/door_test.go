package port

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/identity"
	"earshot/node/nodetest"
)

// Attack 12: 200 connections from one IP that say nothing. Others are admitted as if they were not there, the silent ones are
// gone in time, and even somebody at the same IP gets in.
func TestSilentCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		p, address := hub(t, lan, Config{})
		conns := silent(t, lan, "attacker", 200)
		synctest.Wait()
		attacker := lan.Host("attacker").IP()
		if n := p.door.admitting.of[attacker]; n != maxAdmittingPerIP {
			t.Errorf("%d in admission", n)
		}
		if n := len(p.door.waiting); n != 200-maxAdmittingPerIP {
			t.Errorf("%d wait", n)
		}
		start := time.Now()
		hears(t, chat(t, client(t, lan, "alice"), address))
		if d := time.Since(start); d > 20*time.Millisecond {
			t.Errorf("another host was admitted after %v", d)
		}
		time.Sleep(2 * time.Second)
		neighbour := open(t, Config{Gate: gate(t, 3, ""), Net: lan.Host("attacker").Net(), Number: 5000})
		hears(t, chat(t, neighbour, address)) // within its 5 s: the silent ones before it grew too old together
		time.Sleep(identity.AdmissionTimeout)
		synctest.Wait()
		for _, c := range conns {
			closed(t, c, time.Millisecond)
		}
		if n := len(p.door.waiting) + p.door.total + len(p.door.admitting.of) + len(p.door.admitting.in) + len(p.door.queued.of) + len(p.door.queued.in); n != 0 {
			t.Errorf("%d left at the door", n)
		}
	})
}

// Many hosts may fill the 64 places; more wait and get in when places are free.
func TestManySilentHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		p, address := hub(t, lan, Config{})
		for i := range 17 {
			silent(t, lan, fmt.Sprint("attacker", i), 4)
		}
		synctest.Wait()
		if p.door.total != maxAdmitting || len(p.door.waiting) != 17*4-maxAdmitting {
			t.Errorf("%d in admission, %d wait", p.door.total, len(p.door.waiting))
		}
		time.Sleep(4 * time.Second)
		hears(t, chat(t, client(t, lan, "alice"), address))
	})
}

// Whoever has more addresses than there are places keeps strangers waiting, and nobody who was here before.
func TestKnownHostAmongSilentOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		p, address := hub(t, lan, Config{})
		alice := client(t, lan, "alice")
		hears(t, chat(t, alice, address))
		for i := range 2 * maxAdmitting {
			silent(t, lan, fmt.Sprint("attacker", i), 2*maxAdmittingPerIP)
		}
		synctest.Wait()
		if p.door.total != maxAdmitting {
			t.Errorf("%d in admission", p.door.total)
		}
		began := time.Now()
		hears(t, chat(t, alice, address))
		if d := time.Since(began); d > 20*time.Millisecond {
			t.Errorf("admitted after %v", d)
		}
		for i := range 2 * maxKnown {
			p.door.enter(netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)}))
		}
		if n := len(p.door.known); n > maxKnown {
			t.Errorf("%d are known", n)
		}
	})
}

// An honest crowd behind one address, more than its places at once: all get in, none is closed.
func TestHonestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		_, address := hub(t, lan, Config{PerIP: -1})
		q := client(t, lan, "office")
		const crowd = 100
		errs := make(chan error)
		for range crowd {
			go func() {
				c, err := q.Dial(t.Context(), address, identity.ProtoChat, nil)
				if err == nil {
					defer c.NetConn().Close()
				}
				errs <- err
			}()
		}
		for range crowd {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestPerIP(t *testing.T) {
	for _, v := range []struct{ perIP, allowed int }{{0, 8}, {2, 2}, {-1, 30}} {
		t.Run(fmt.Sprint(v.perIP), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lan := nodetest.New(1)
				p, address := hub(t, lan, Config{PerIP: v.perIP})
				q := client(t, lan, "office")
				var first *identity.Conn
				for i := range v.allowed {
					c := chat(t, q, address)
					hears(t, c)
					if i == 0 {
						first = c
					}
				}
				if v.perIP < 0 {
					return
				}
				closed(t, chat(t, q, address), time.Second) // admitted, and then one too many
				hears(t, chat(t, client(t, lan, "elsewhere"), address))
				first.Close()
				time.Sleep(time.Second)
				hears(t, chat(t, q, address)) // a place is free again
				synctest.Wait()
				if n := p.door.admitted[lan.Host("office").IP()]; n != v.allowed {
					t.Errorf("%d counted", n)
				}
			})
		})
	}
}

// A flood is bounded and pushes out itself, not those who wait with it.
func TestFloodEvictsItself(t *testing.T) {
	d := newDoor(-1)
	flooder, other, newcomer := addr("10.0.0.1"), addr("10.0.0.2"), addr("10.0.0.3")
	for range 10 {
		d.arrive(arriving(other)) // four have their turn, six wait
	}
	for i := range 3 * maxWaiting {
		now, drop := d.arrive(arriving(flooder))
		if now != (i < maxAdmittingPerIP) {
			t.Fatalf("flood connection %d has its turn: %v", i, now)
		}
		if drop != nil && drop.(stub).ip != flooder {
			t.Fatal("somebody else was pushed out")
		}
		if len(d.waiting) > maxWaiting {
			t.Fatalf("%d wait", len(d.waiting))
		}
	}
	if len(d.waiting) != maxWaiting {
		t.Errorf("%d wait", len(d.waiting))
	}
	if now, drop := d.arrive(arriving(newcomer)); !now || drop != nil {
		t.Error("a newcomer was kept out")
	}
	for range 4 {
		if turn := d.leave(other); len(turn) != 1 || turn[0].ip != other {
			t.Error("a place that was free went to", turn)
		}
	}
}

// Whoever has all the addresses of an IPv6 network keeps out strangers of that one at most.
func TestFloodOfOneNetwork(t *testing.T) {
	d := newDoor(-1)
	other := addr("fd77:0:0:1::1")
	for range 10 {
		d.arrive(arriving(other)) // four have their turn, six wait
	}
	for i := range 3 * maxWaiting {
		flooder := netip.AddrFrom16([16]byte{0xfe, 0x80, 14: byte(i >> 8), 15: byte(i)}).WithZone("eth0")
		now, drop := d.arrive(arriving(flooder))
		if now != (i < maxAdmittingPer64) {
			t.Fatalf("connection %d has its turn: %v", i, now)
		}
		if drop != nil && drop.(stub).ip == other {
			t.Fatal("somebody else was pushed out")
		}
	}
	for _, newcomer := range []string{"10.0.0.3", "fd77:0:0:2::1", "fd77:0:0:1::2"} {
		if now, _ := d.arrive(arriving(addr(newcomer))); !now {
			t.Error("kept out:", newcomer)
		}
	}
	neighbour := addr("fe80::abcd%eth0")
	d.know(neighbour)
	if now, _ := d.arrive(arriving(neighbour)); !now {
		t.Error("somebody known was kept out")
	}
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func arriving(ip netip.Addr) arrival { return arrival{conn: stub{ip: ip}, ip: ip, at: time.Now()} }

// stub is a connection that only has an address.
type stub struct {
	net.Conn
	ip netip.Addr
}

// What is pushed out is closed.
func TestFloodIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const extra = 30
		lan := nodetest.New(1)
		hub(t, lan, Config{})
		conns := silent(t, lan, "attacker", maxAdmittingPerIP+maxWaiting+extra)
		ended := 0
		for _, c := range conns {
			c.SetReadDeadline(time.Now().Add(time.Microsecond))
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				ended++
			}
		}
		if ended != extra {
			t.Errorf("%d were closed, want %d", ended, extra)
		}
	})
}

// Of one host the first to come is the first to go.
func TestDoorOrder(t *testing.T) {
	d := newDoor(-1)
	ip := addr("10.0.0.1")
	start := time.Now()
	for i := range 12 {
		d.arrive(arrival{ip: ip, at: start.Add(time.Duration(i))})
	}
	for i := range 8 {
		turn := d.leave(ip)
		if len(turn) != 1 || turn[0].at != start.Add(time.Duration(i+maxAdmittingPerIP)) {
			t.Fatalf("turn %d: %v", i, turn)
		}
	}
	if len(d.waiting) != 0 {
		t.Error(d.waiting)
	}
}

// IPv4 through either family's socket is one host.
func TestAddrPort(t *testing.T) {
	want := netip.MustParseAddrPort("10.0.0.1:7")
	for _, a := range []net.Addr{
		&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7},
		&net.UDPAddr{IP: net.IP{10, 0, 0, 1}, Port: 7},
		net.TCPAddrFromAddrPort(netip.MustParseAddrPort("[::ffff:10.0.0.1]:7")),
		written("10.0.0.1:7"),
	} {
		if got := addrPort(a); got != want {
			t.Errorf("%v became %v", a, got)
		}
	}
	if got := addrPort(&net.UDPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 7}); got != netip.MustParseAddrPort("[fe80::1%eth0]:7") {
		t.Error(got)
	}
}

type written string

func (written) Network() string  { return "tcp" }
func (w written) String() string { return string(w) }
