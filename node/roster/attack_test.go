package roster

import (
	"bytes"
	"compress/lzw"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"earshot/node/identity"
	"earshot/node/nodetest"
	"earshot/node/port"
)

// Mallory is in the network and speaks its gossip by hand.
type mallory struct {
	t      *testing.T
	socket net.PacketConn
	seal   cipher.AEAD
	at     netip.AddrPort
	id     identity.NetworkID
	who    *identity.Identity
}

func newMallory(t *testing.T, lan *nodetest.LAN) *mallory {
	t.Helper()
	h := lan.Host("mallory")
	listener, socket, err := h.Net().Listen(port.Default)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close(); socket.Close() })
	n := network(t, "")
	a, err := newSeal(n.GossipKey())
	if err != nil {
		t.Fatal(err)
	}
	return &mallory{t: t, socket: socket, seal: a, at: netip.AddrPortFrom(h.IP(), port.Default), id: n.ID(), who: person(t, 66)}
}

func (m *mallory) send(to netip.AddrPort, message []byte) {
	m.t.Helper()
	p, err := seal(m.seal, message)
	if err != nil {
		m.t.Fatal(err)
	}
	m.raw(to, p)
}

func (m *mallory) raw(to netip.AddrPort, packet []byte) {
	m.t.Helper()
	if _, err := m.socket.WriteTo(packet, net.UDPAddrFromAddrPort(to)); err != nil {
		m.t.Fatal(err)
	}
}

// encode returns a message as memberlist would send it.
func encode(kind byte, v any) []byte {
	var b []byte
	codec.NewEncoderBytes(&b, new(codec.MsgpackHandle)).MustEncode(v)
	return append([]byte{kind}, b...)
}

type aliveMessage struct {
	Incarnation uint32
	Node        string
	Addr        []byte
	Port        uint16
	Meta        []byte
	Vsn         []uint8
}

var vsn = []uint8{1, 5, 2, 0, 0, 0}

func alive(name string, at netip.AddrPort, meta []byte, incarnation uint32) aliveMessage {
	return aliveMessage{incarnation, name, at.Addr().AsSlice(), at.Port(), meta, vsn}
}

// Attack 18: whoever is not signed, not named by a session, or elsewhere than signed is no member.
func TestForgedMeta(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a, b := start(t, lan, 1, ""), start(t, lan, 2, "")
		b.meet(a)
		until(t, "they meet", 2*time.Second, full(a, b))
		m := newMallory(t, lan)
		s := identity.Session{66}
		name := s.String()
		good := signMeta(m.who, m.id, name, m.at, signed{version: 2, Status: Status{Class: 2}, serial: 7})
		flip := func(i int) []byte {
			c := bytes.Clone(good)
			c[i] ^= 1
			return c
		}
		asVictim := signMeta(m.who, m.id, b.config.Session.String(), b.at(), signed{version: 2, Status: Status{Class: 2, Hub: true}, serial: 9})
		second := nodeName(b.config.Session, 1)
		own := signMeta(m.who, m.id, a.config.Session.String(), a.at(), signed{version: 2})
		oddVersion := alive(name, m.at, good, 1)
		oddVersion.Vsn = []uint8{3, 3, 3, 0, 0, 0}
		for what, forged := range map[string]aliveMessage{
			"no Meta":            alive(name, m.at, nil, 1),
			"a class raised":     alive(name, m.at, flip(33), 1),
			"another person":     alive(name, m.at, flip(5), 1),
			"a bit of signature": alive(name, m.at, flip(len(good)-1), 1),
			"cut short":          alive(name, m.at, good[:len(good)-1], 1),
			"another name":       alive(identity.Session{67}.String(), m.at, good, 1),
			"no session":         alive("mallory", m.at, signMeta(m.who, m.id, "mallory", m.at, signed{version: 2}), 1),
			"another address":    alive(name, netip.AddrPortFrom(m.at.Addr(), 53), good, 1),
			"multicast":          alive(name, netip.MustParseAddrPort("224.0.0.251:5353"), signMeta(m.who, m.id, name, netip.MustParseAddrPort("224.0.0.251:5353"), signed{version: 2}), 1),
			"loopback":           alive(name, netip.MustParseAddrPort("127.0.0.1:1"), signMeta(m.who, m.id, name, netip.MustParseAddrPort("127.0.0.1:1"), signed{version: 2}), 1),
			"another network":    alive(name, m.at, signMeta(m.who, identity.NetworkID{1}, name, m.at, signed{version: 2}), 1),
			"an odd version":     oddVersion,
			"b's session":        alive(b.config.Session.String(), b.at(), asVictim, 1000),
			"b moved":            alive(second, m.at, signMeta(m.who, m.id, second, m.at, signed{version: 2, Status: Status{Class: 2}}), 1),
			"a itself":           alive(a.config.Session.String(), a.at(), own, 1000),
		} {
			m.send(a.at(), encode(typeAlive, forged))
			time.Sleep(300 * time.Millisecond)
			if got := a.sees(); !bytes.Equal(got, []byte{2}) {
				t.Errorf("%s: a sees %v", what, got)
			}
			if v, _ := a.member(2); v.ID != person(t, 2).ID() || v.Hub || v.Class != 1 {
				t.Errorf("%s: b is %+v", what, v)
			}
		}
		if !full(a, b)() {
			t.Error("they lost each other")
		}
		// All of that was refused for what it said, not for how it was sent.
		m.send(a.at(), encode(typeAlive, alive(name, m.at, good, 1)))
		until(t, "an honest stranger is a member of an open network", time.Second, func() bool { v, _ := a.member(66); return v.Class == 2 })
		m.send(a.at(), encode(typeAlive, alive(name, m.at, signMeta(m.who, m.id, name, m.at, signed{version: 2, Status: Status{Class: 1}, serial: 6}), 50)))
		time.Sleep(300 * time.Millisecond)
		if v, ok := a.member(66); ok && v.Class != 2 {
			t.Error("an old status came up again")
		}
	})
}

// Attack 19, as far as it is the roster's: a forged death is refuted.
func TestForgedDeath(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		for _, n := range []int{2, 5} {
			boxes := party(t, lan, n)
			m := newMallory(t, lan)
			victim := boxes[n-1].config.Session.String()
			for i, from := range []string{identity.Session{66}.String(), victim} {
				m.send(boxes[0].at(), encode(typeDead, struct {
					Incarnation uint32
					Node, From  string
				}{uint32(1000 * (i + 1)), victim, from}))
				time.Sleep(3 * time.Millisecond)
				if len(boxes[0].Members()) != n-2 {
					t.Error("the attack has no effect: this test tests nothing")
				}
				d := until(t, "the death is refuted", 2*time.Second, full(boxes...))
				t.Logf("of %d: a forged death was refuted after %v", n, d)
			}
			for _, b := range boxes {
				b.stop()
				<-b.left
			}
			m.socket.Close()
			lan = nodetest.New(2)
		}
	})
}

// bomb is a compressed message of 1.4 KB that becomes megabytes.
func bomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := lzw.NewWriter(&b, lzw.LSB, 8)
	if _, err := w.Write(make([]byte, 250_000)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if b.Len() > 1300 {
		t.Fatal(b.Len())
	}
	return encode(typeCompress, struct {
		Algo uint8
		Buf  []byte
	}{0, b.Bytes()})
}

func compound(parts ...[]byte) []byte {
	b := []byte{typeCompound, byte(len(parts))}
	for _, p := range parts {
		b = binary.BigEndian.AppendUint16(b, uint16(len(p)))
	}
	return append(b, bytes.Join(parts, nil)...)
}

func withCRC(b []byte) []byte { return append([]byte{typeCRC, 0, 0, 0, 0}, b...) }

// room is a map of one field that nobody knows: a time of 256 MB, of which nothing follows.
var room = []byte{0x81, 0xa1, 'x', 0xc9, 0x10, 0, 0, 0, 0xff}

// Attacks 16 and 17: what is not sealed for this network, or is more than it seems, does not reach memberlist.
func TestRefusedPackets(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		boxes := party(t, lan, 3)
		m := newMallory(t, lan)
		s := identity.Session{66}
		hello := encode(typeAlive, alive(s.String(), m.at, signMeta(m.who, m.id, s.String(), m.at, signed{version: 2}), 1))
		packet, err := seal(m.seal, hello)
		if err != nil {
			t.Fatal(err)
		}
		flip := func(i int) []byte { c := bytes.Clone(packet); c[i] ^= 1; return c }
		refused := map[string][]byte{
			"kind": flip(0), "nonce": flip(1), "text": flip(20), "tag": flip(len(packet) - 1), "short": packet[:20], "nothing": {Kind}, "bare": append([]byte{Kind}, hello...),
		}
		for what, b := range map[string][]byte{
			"bomb": bomb(t), "nested bomb": compound(hello, bomb(t)), "bomb with checksum": withCRC(bomb(t)), "deep bomb": compound(compound(bomb(t))),
			"compound in compound": compound(compound(hello)), "checksum in compound": compound(withCRC(hello)), "user": append([]byte{typeUser}, 1, 2, 3), "encrypted": {typeEncrypt, 1},
			"push/pull": {typePushPull, 0}, "label": {244, 1, 'x', typePing}, "unknown": {99}, "room": append([]byte{typePing}, room...), "room in compound": compound(hello, append([]byte{typeAck}, room...)), "cut compound": compound(hello)[:50], "trailing": append(compound(hello), 1),
		} {
			if refused[what], err = seal(m.seal, b); err != nil {
				t.Fatal(err)
			}
		}
		for what, p := range refused {
			if _, err := open(m.seal, p); err == nil {
				t.Errorf("%s: opened", what)
			}
			m.raw(boxes[0].at(), p)
		}
		time.Sleep(2 * time.Second)
		if !full(boxes...)() {
			t.Errorf("%v", boxes[0].sees())
		}
		m.raw(boxes[0].at(), packet)
		until(t, "the same, untouched, is heard", time.Second, func() bool { _, ok := boxes[0].member(66); return ok })
	})
}

// A packet has one answer at most: who sends in another's name gets no more sent there than it sends itself.
func TestOneAnswerAPacket(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		boxes := party(t, lan, 2)
		m := newMallory(t, lan)
		ping := encode(typePing, struct{ SeqNo uint32 }{1})
		hello := encode(typeSuspect, struct{ Node, From string }{"nobody", "nobody"})
		m.send(boxes[0].at(), compound(slices.Repeat([][]byte{ping}, 100)...))
		m.send(boxes[0].at(), compound(hello, ping))
		m.send(boxes[0].at(), compound(ping, hello, hello))
		m.socket.SetReadDeadline(time.Now().Add(time.Second))
		answers, size := 0, 0
		for b := make([]byte, 2*maxPacket); ; answers++ {
			n, _, err := m.socket.ReadFrom(b)
			if err != nil {
				break
			}
			size += n
		}
		if answers != 1 {
			t.Errorf("%d answers of %d bytes", answers, size)
		}
	})
}

// Attack 17 by stream, and the lengths a push/pull claims: memberlist reads nothing of it.
func TestRefusedStreams(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		type header struct {
			Nodes, UserStateLen int
			Join                bool
		}
		state := func(h header) []byte {
			return append(encode(typePushPull, h), encode(0, alive("x", netip.MustParseAddrPort("10.0.0.1:1"), make([]byte, 200), 1))[1:]...)
		}
		for what, tc := range map[string]struct {
			b    []byte
			read bool
		}{
			"ping":            {encode(typePing, struct{ SeqNo uint32 }{1}), true},
			"push/pull":       {state(header{1, 0, true}), true},
			"bomb":            {bomb(t), false},
			"a million nodes": {state(header{1 << 20, 0, true}), false},
			"negative":        {state(header{-1, 0, true}), false},
			"20 MB of state":  {state(header{1, 20 << 20, true}), false},
			"a long header":   {append([]byte{typePushPull, 0xde, 0xff, 0xff}, make([]byte, 200)...), false},
			"user message":    {append(encode(typeUser, header{}), 1, 2), false},
			"encrypted":       {[]byte{typeEncrypt, 0xff, 0xff, 0xff, 0xff}, false},
			"label":           {[]byte{244, 1, 'x', typePing}, false},
			"room in a ping":  {append([]byte{typePing}, room...), false},
			"in the header":   {append(append([]byte{typePushPull}, room...), make([]byte, 200)...), false},
			"behind it":       {append(state(header{2, 0, true}), room...), false},
			"without end":     {append(state(header{1, 0, true}), make([]byte, maxStream)...), false},
		} {
			s, from := streamPair(t, lan)
			go func() {
				from.Write(tc.b)
				from.Close()
			}()
			s.SetReadDeadline(time.Now().Add(time.Second))
			got, err := io.ReadAll(s)
			if tc.read && (err != nil || !bytes.Equal(got, tc.b)) || !tc.read && !errors.Is(err, errStream) || len(got) > maxStream {
				t.Errorf("%s: read %d bytes of %d, %v", what, len(got), len(tc.b), err)
			}
			s.NetConn().Close()
			s.Close()
		}
	})
}

// streamPair returns a stream, and the other end of its connection.
func streamPair(t *testing.T, lan *nodetest.LAN) (*stream, *identity.Conn) {
	t.Helper()
	gate, err := identity.NewGate(person(t, 1), network(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	h := lan.Host("listener")
	listener, socket, err := h.Net().Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	defer socket.Close()
	raw, err := lan.Host("mallory").Net().Dial(t.Context(), listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	dialled := make(chan *identity.Conn, 1)
	go func() {
		c, _ := gate.Dial(t.Context(), raw, identity.ProtoGossip, nil)
		dialled <- c
	}()
	c, err := gate.Accept(t.Context(), accepted, identity.ProtoGossip)
	if err != nil {
		t.Fatal(err)
	}
	return newStream(t.Context(), c), <-dialled
}

// More than 1,024 signed strangers, and as many that come and go, leave this much and no more.
func TestBoundedMembers(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		a := start(t, lan, 1, "")
		time.Sleep(time.Second)
		m := newMallory(t, lan)
		for i := range maxNodes + 200 {
			s := identity.Session{66, byte(i >> 8), byte(i)}
			m.send(a.at(), encode(typeAlive, alive(s.String(), m.at, signMeta(m.who, m.id, s.String(), m.at, signed{version: 2}), 1)))
			if i%2 == 0 {
				time.Sleep(2 * time.Millisecond)
				m.send(a.at(), encode(typeDead, struct {
					Incarnation uint32
					Node, From  string
				}{1, s.String(), s.String()}))
			}
			time.Sleep(2 * time.Millisecond)
		}
		a.list.mu.Lock()
		defer a.list.mu.Unlock()
		if n, k := len(a.list.entries), a.list.aliveLocked(); n > maxNodes || k > maxMembers || n < maxMembers {
			t.Errorf("%d entries, %d alive", n, k)
		}
	})
}
