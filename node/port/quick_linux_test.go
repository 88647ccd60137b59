package port

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Packets go and come past package net in either family, with the address they came from and nothing of the one before. A socket of IPv4 alone is left to package net.
func TestQuick(t *testing.T) {
	for _, v := range []struct{ network, local, at string }{
		{"udp", ":0", "127.0.0.1"}, {"udp", ":0", "::1"}, {"udp6", "[::1]:0", "::1"},
	} {
		t.Run(v.network+" "+v.at, func(t *testing.T) {
			listen := func() (net.PacketConn, *quick) {
				c, err := net.ListenPacket(v.network, v.local)
				if err != nil {
					t.Skip(err) // no IPv6 here
				}
				t.Cleanup(func() { c.Close() })
				q := quickly(c)
				if q == nil {
					if addrPort(c.LocalAddr()).Addr().Is4() {
						t.Skip("there is no IPv6 here")
					}
					t.Fatal("a socket of the system's is not quick")
				}
				return c, q
			}
			a, from := listen()
			b, to := listen()
			at := func(c net.PacketConn) netip.AddrPort {
				return netip.AddrPortFrom(netip.MustParseAddr(v.at), addrPort(c.LocalAddr()).Port())
			}
			buffer := make([]byte, maxPacket)
			for _, text := range []string{strings.Repeat("long", 2000), "short"} {
				if !from.send([]byte(text), at(b)) {
					if _, err := a.WriteTo([]byte(text), net.UDPAddrFromAddrPort(at(b))); err != nil {
						t.Skip(err) // no IPv6 here
					}
					t.Fatal("package net sends what is not sent here")
				}
				n, who, err := to.receive(buffer)
				if err != nil || string(buffer[:n]) != text || who != at(a) {
					t.Errorf("%d bytes from %v, %v", n, who, err)
				}
			}
			if from.send([]byte("no"), netip.MustParseAddrPort("[fe80::1%lo]:1")) || from.send([]byte("no"), netip.AddrPort{}) || from.send(nil, at(b)) {
				t.Error("sent what only package net can")
			}
			b.Close()
			if _, _, err := to.receive(buffer); err == nil {
				t.Error("received from a closed socket")
			}
			if to.send([]byte("late"), at(a)) {
				t.Error("sent through a closed socket")
			}
		})
	}
}

// What is on the link of one interface comes with its name, as from package net.
func TestQuickZone(t *testing.T) {
	lo, err := net.InterfaceByIndex(1)
	if err != nil {
		t.Skip(err)
	}
	q := new(quick)
	var a sockaddr
	binary.NativeEndian.PutUint16(a[:], unix.AF_INET6)
	binary.BigEndian.PutUint16(a[2:], 4327)
	copy(a[8:], netip.MustParseAddr("fe80::1").AsSlice())
	for _, v := range []struct {
		index uint32
		want  string
	}{{0, "[fe80::1]:4327"}, {1, "[fe80::1%" + lo.Name + "]:4327"}, {1 << 30, "[fe80::1]:4327"}, {1, "[fe80::1%" + lo.Name + "]:4327"}} {
		binary.NativeEndian.PutUint32(a[24:], v.index)
		if got := q.parse(&a); got.String() != v.want {
			t.Errorf("%v, want %s", got, v.want)
		}
	}
}

// A port of the system's is quick: otherwise each packet at rest wakes the runtime's monitor.
func TestPortIsQuick(t *testing.T) {
	if p := open(t, Config{Gate: gate(t, 1, ""), Number: -1}); p.quick == nil && !addrPort(p.socket.LocalAddr()).Addr().Is4() {
		t.Error("it is not")
	}
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if quickly(c) != nil {
		t.Error("a socket of IPv4 alone is")
	}
}
