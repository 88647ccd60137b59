package probe_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest"
	"earshot/node/nodetest/frames"
	"earshot/node/nodetest/instance"
	"earshot/node/probe"
	"earshot/node/wire"
)

func network(t *testing.T, key string) *identity.Network {
	t.Helper()
	n, err := identity.NewNetwork(message.Lobby, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func look(t *testing.T, lan *nodetest.LAN, n *identity.Network, address string) probe.Answer {
	t.Helper()
	p, err := probe.New(probe.Config{Network: n, Net: lan.Host("outside").Net()})
	if err != nil {
		t.Fatal(err)
	}
	return p.Look(t.Context(), address)
}

func address(lan *nodetest.LAN, host string, port int) string {
	return netip.AddrPortFrom(lan.Host(host).IP(), uint16(port)).String()
}

// Whoever looks sees the same from everyone, and nobody sees it.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		all := []*instance.Instance{instance.Start(t, lan, "anna", node.Config{ServerOnly: true})}
		instance.Until(t, time.Second, "anna serves", all[0].Serving)
		for _, name := range []string{"bob", "carol"} {
			all = append(all, instance.Start(t, lan, name, node.Config{}))
		}
		hub := instance.Meet(t, 5*time.Second, all...)
		time.Sleep(6 * time.Second)
		before := len(hub.Events())
		for _, i := range all {
			a := look(t, lan, network(t, ""), address(lan, i.Name, i.Port()))
			if a.Err != nil || a.Refusal != probe.None {
				t.Fatalf("%s: %s, %v", i.Name, a.Refusal, a.Err)
			}
			if a.Nick != i.Name || a.Session != i.Session() || a.Peer != i.ID() || a.Hub != (i == hub) {
				t.Errorf("of %s: %+v", i.Name, a)
			}
			if off := a.Clock.Sub(a.Asked).Abs(); off > time.Second {
				t.Errorf("%s's clock seems to be %v off", i.Name, off)
			}
			if a.Vouched.IsZero() {
				t.Errorf("three clocks vouch, and %s does not say so", i.Name)
			}
			if a.View.Hub != hub.Session() || a.View.Term == 0 || a.View.More || len(a.View.Here) != 3 || a.View.Here[0].Session != i.Session() {
				t.Errorf("%s sees %+v", i.Name, a.View)
			}
			for _, j := range all {
				k := slices.IndexFunc(a.View.Here, func(w wire.Instance) bool { return w.Session == j.Session() })
				if k < 0 {
					t.Fatalf("%s does not see %s", i.Name, j.Name)
				}
				w := a.View.Here[k]
				if w.Nick != j.Name || w.ID != j.ID() || w.Hub != (j == hub) || w.LinkOnly || w.Away || w.Address != address(lan, j.Name, j.Port()) {
					t.Errorf("%s sees %+v", i.Name, w)
				}
				if w.Hub && (w.Weight != 2 || w.Term != a.View.Term || w.Class != 2) {
					t.Errorf("%s sees the hub's claim as %+v", i.Name, w)
				}
			}
		}
		time.Sleep(2 * time.Second)
		if n := len(hub.Events()); n != before {
			t.Errorf("the hub has noticed: %+v", hub.Events()[before:])
		}
		if len(hub.Snapshot().People) != 3 {
			t.Errorf("people: %+v", hub.Snapshot().People)
		}
	})
}

// Who came by hand is in no roster, and is seen.
func TestLookByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		lan.Mute("anna")
		anna := instance.Start(t, lan, "anna", node.Config{})
		instance.Until(t, time.Second, "anna serves", anna.Serving)
		far := instance.Start(t, lan, "far", node.Config{Join: []string{address(lan, "anna", anna.Port())}})
		instance.Meet(t, 5*time.Second, anna, far)
		a := look(t, lan, network(t, ""), address(lan, "anna", anna.Port()))
		if a.Err != nil || len(a.View.Here) != 2 || a.View.Here[1].Session != far.Session() || !a.View.Here[1].LinkOnly || a.View.Here[1].Nick != "far" {
			t.Errorf("%+v", a)
		}
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		anna := instance.Start(t, lan, "anna", node.Config{})
		instance.Until(t, time.Second, "anna serves", anna.Serving)
		serve := func(host string, f func(net.Conn)) string {
			l, u, err := lan.Host(host).Net().Listen(4327)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				if c, err := l.Accept(); err == nil {
					f(c)
					c.Close()
				}
			}()
			t.Cleanup(func() { l.Close(); u.Close(); <-done })
			return address(lan, host, 4327)
		}
		hello := func(h wire.Hello) func(net.Conn) {
			return func(raw net.Conn) {
				c, err := frames.Gate(t, frames.Identity(t, "other")).Accept(t.Context(), raw, identity.ProtoChat)
				if err != nil {
					t.Error(err)
					return
				}
				c.Write(wire.Append(nil, wire.TypeHello, &h))
				c.Read(make([]byte, 1000))
			}
		}
		lan.Host("empty").Net()
		lan.Host("gone").Net()
		lan.Cut("gone")
		open := network(t, "")
		for _, c := range []struct {
			address string
			network *identity.Network
			want    probe.Refusal
			err     string
		}{
			{address(lan, "anna", anna.Port()), network(t, strings.Repeat("k", 16)), probe.Network, "not in this network"},
			{address(lan, "empty", 4327), open, probe.Closed, "refused"},
			{address(lan, "gone", 4327), open, probe.Silent, ""},
			{serve("newer", hello(wire.Hello{Version: wire.Version + 1, Nick: "newer"})), open, probe.Version, "upgrade this machine"},
			{serve("web", func(c net.Conn) { c.Read(make([]byte, 10)); c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }), open, probe.Foreign, ""},
			{serve("mute", func(c net.Conn) { c.Read(make([]byte, 1)); time.Sleep(time.Minute) }), open, probe.Silent, ""},
			{serve("odd", hello(wire.Hello{Version: wire.Version, Nick: "odd"})), open, probe.Foreign, ""},
		} {
			began := time.Now()
			a := look(t, lan, c.network, c.address)
			if a.Refusal != c.want || a.Err == nil || !strings.Contains(a.Err.Error(), c.err) {
				t.Errorf("%s: %q (%v), want %q", c.address, a.Refusal, a.Err, c.want)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s: %v", c.address, took)
			}
		}
	})
}

// A version that does not match is told to who looks, and to nobody there.
func TestVersionIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		anna := instance.Start(t, lan, "anna", node.Config{})
		instance.Until(t, time.Second, "anna serves", anna.Serving)
		p := frames.Dial(t, lan, "mallory", frames.Identity(t, "mallory"), address(lan, "anna", anna.Port()))
		p.Send(wire.TypeHello, &wire.Hello{Version: wire.Version + 1, Look: true})
		var h wire.Hello
		p.Await(time.Second, wire.TypeHello, &h)
		if h.Version != wire.Version {
			t.Errorf("%+v", h)
		}
		time.Sleep(time.Second)
		for _, e := range anna.Events() {
			if n, ok := e.(node.Notice); ok {
				t.Errorf("told: %+v", n)
			}
		}
	})
}

// An end of ctx ends a look at once.
func TestLookEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		lan.Host("gone").Net()
		lan.Cut("gone")
		p, err := probe.New(probe.Config{Network: network(t, ""), Net: lan.Host("outside").Net()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errors.New("enough")) })
		began := time.Now()
		if a := p.Look(ctx, address(lan, "gone", 4327)); a.Refusal == probe.None || time.Since(began) != time.Second {
			t.Errorf("%q after %v", a.Refusal, time.Since(began))
		}
	})
}

// What a peer says of nicks is fit to be shown.
func TestNicksAreClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		l, u, err := lan.Host("evil").Net().Listen(4327)
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		defer l.Close()
		go func() {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			defer raw.Close()
			c, err := frames.Gate(t, frames.Identity(t, "evil")).Accept(t.Context(), raw, identity.ProtoChat)
			if err != nil {
				return
			}
			b := wire.Append(nil, wire.TypeHello, &wire.Hello{Version: wire.Version, Nick: "\x1b[2Jx"})
			c.Write(wire.Append(b, wire.TypeView, &wire.View{Here: []wire.Instance{{Nick: "a\nb\x1b]0;"}}}))
			c.Read(make([]byte, 1000))
		}()
		a := look(t, lan, network(t, ""), address(lan, "evil", 4327))
		if a.Err != nil || bytes.ContainsAny([]byte(a.Nick+a.View.Here[0].Nick), "\x1b\n") {
			t.Errorf("%q %q %v", a.Nick, a.View.Here[0].Nick, a.Err)
		}
	})
}
