package roster

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"github.com/hashicorp/memberlist"

	"earshot/node/identity"
	"earshot/node/nodetest/golden"
)

var (
	goldenAt     = netip.MustParseAddrPort("192.168.1.20:4327")
	goldenStatus = signed{version: 1, serial: 0x01020304, Status: Status{Class: 2, Hub: true, Weight: 5, Term: 0x1112131415161718, LostHub: identity.Session{0xa0, 1, 2, 3, 4, 5, 6, 7}, LostTerm: 9,
		Tags: [][8]byte{{1, 1, 1, 1, 1, 1, 1, 1}, {2, 2, 2, 2, 2, 2, 2, 2}}}}
)

func lobby(t testing.TB) (*identity.Identity, *identity.Network) {
	t.Helper()
	who, err := identity.FromSeed(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	n, err := identity.NewNetwork("lobby", nil)
	if err != nil {
		t.Fatal(err)
	}
	return who, n
}

func TestMetaGolden(t *testing.T) {
	who, n := lobby(t)
	want := golden.Read(t, "meta")
	name := identity.Session{0xa1, 0xb2, 3, 4, 5, 6, 7, 8}.String()
	got := signMeta(who, n.ID(), name, goldenAt, goldenStatus)
	if !bytes.Equal(got, want) {
		t.Fatalf("the Meta is\n%x, not\n%x", got, want)
	}
	s, err := verifyMeta(n.ID(), name, goldenAt, want)
	if err != nil || s.person != who.ID() || s.serial != goldenStatus.serial || !s.Status.equal(goldenStatus.Status) {
		t.Fatalf("%+v, %v", s, err)
	}
	for what, err := range map[string]error{
		"network": verify(identity.NetworkID{}, name, goldenAt, want), "name": verify(n.ID(), name+".1", goldenAt, want),
		"address": verify(n.ID(), name, netip.AddrPortFrom(goldenAt.Addr().Next(), goldenAt.Port()), want), "port": verify(n.ID(), name, netip.AddrPortFrom(goldenAt.Addr(), 1), want),
	} {
		if err == nil {
			t.Errorf("the signature does not cover the %s", what)
		}
	}
	for i := range want {
		flipped := bytes.Clone(want)
		flipped[i] ^= 0x10
		if verify(n.ID(), name, goldenAt, flipped) == nil {
			t.Errorf("byte %d may be changed", i)
		}
	}
}

func verify(id identity.NetworkID, name string, at netip.AddrPort, meta []byte) error {
	_, err := verifyMeta(id, name, at, meta)
	return err
}

func TestMetaFits(t *testing.T) {
	who, n := lobby(t)
	b := signMeta(who, n.ID(), "x", goldenAt, signed{Status: Status{Tags: make([][8]byte, 9)}})
	if len(b) != maxMeta || maxMeta > memberlist.MetaMaxSize {
		t.Errorf("%d bytes, at most %d", len(b), maxMeta)
	}
}

func TestMetaRefused(t *testing.T) {
	good := golden.Read(t, "meta")
	for what, change := range map[string]func(b []byte) []byte{
		"empty":           func(b []byte) []byte { return nil },
		"class":           func(b []byte) []byte { b[33] = 4; return b },
		"flags":           func(b []byte) []byte { b[34] = 3; return b },
		"weight":          func(b []byte) []byte { b[35] = 65; return b },
		"a never-hub":     func(b []byte) []byte { b[33] = 0; return b },
		"five tags":       func(b []byte) []byte { b[64] = 5; return append(b, make([]byte, 24)...) },
		"a tag too many":  func(b []byte) []byte { b[64] = 3; return b },
		"a trailing byte": func(b []byte) []byte { return append(b, 0) },
		"cut short":       func(b []byte) []byte { return b[:len(b)-1] },
	} {
		if _, _, err := decodeMeta(change(bytes.Clone(good))); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

func TestNames(t *testing.T) {
	s := identity.Session{0xa1, 0xb2, 3, 4, 5, 6, 7, 8}
	for moves, name := range map[int]string{0: "a1b2030405060708", 1: "a1b2030405060708.1", 12: "a1b2030405060708.12"} {
		if got := nodeName(s, moves); got != name {
			t.Errorf("%q, not %q", got, name)
		}
		if gs, gm, err := parseName(name); gs != s || gm != moves || err != nil {
			t.Errorf("%q: %v %d %v", name, gs, gm, err)
		}
	}
	for _, bad := range []string{"", "a1", "A1B2030405060708", "a1b2030405060708.", "a1b2030405060708.0", "a1b2030405060708.01", "a1b2030405060708.+1", "a1b2030405060708.1.1", "a1b203040506070g", "a1b2030405060708.99999999999", "a1b203040506070811"} {
		if _, _, err := parseName(bad); err == nil {
			t.Errorf("%q is a name", bad)
		}
	}
}

func TestPacketGolden(t *testing.T) {
	_, n := lobby(t)
	a, err := newSeal(n.GossipKey())
	if err != nil {
		t.Fatal(err)
	}
	got, err := open(a, golden.Read(t, "packet")) // its nonce was random, so it can only be opened
	if err != nil || !bytes.Equal(got, encode(typePing, struct{ SeqNo uint32 }{7})) {
		t.Fatalf("%x, %v", got, err)
	}
	big := append([]byte{typePing}, make([]byte, maxPacket-sealOverhead-1)...)
	p, err := seal(a, big)
	if err != nil || len(p) != maxPacket {
		t.Fatalf("%d bytes, %v", len(p), err)
	}
	if _, err := seal(a, append(big, 0)); err == nil {
		t.Error("sealed more than fits")
	}
}

func TestPingSeq(t *testing.T) {
	p := encode(typePing, struct {
		SeqNo uint32
		Node  string
	}{70000, "x"})
	for _, b := range [][]byte{p, withCRC(p), compound(p, p), withCRC(compound(p, []byte{1}))} {
		if seq, ok := pingSeq(b); !ok || seq != 70000 {
			t.Errorf("%x: %d %v", b, seq, ok)
		}
	}
	for _, b := range [][]byte{nil, {typePing}, {typeCompound}, {typeCompound, 9, 1}, {typeCompound, 0}, {typeCRC, 1, 2}, encode(typeAck, struct{ SeqNo uint32 }{1})} {
		if seq, ok := pingSeq(b); ok {
			t.Errorf("%x: %d", b, seq)
		}
	}
}

func FuzzMeta(f *testing.F) {
	f.Add(golden.Read(f, "meta"))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, signature, err := decodeMeta(b)
		if err != nil {
			return
		}
		if again := append(encodeMeta(s), signature...); !bytes.Equal(again, b) {
			t.Errorf("%x is encoded %x", b, again)
		}
	})
}

func FuzzName(f *testing.F) {
	f.Add("a1b2030405060708.12")
	f.Fuzz(func(t *testing.T, name string) {
		if s, moves, err := parseName(name); err == nil && nodeName(s, moves) != name {
			t.Errorf("%q", name)
		}
	})
}

// What is opened holds nothing compressed, wherever memberlist would look.
func FuzzOpen(f *testing.F) {
	_, n := lobby(f)
	a, err := newSeal(n.GossipKey())
	if err != nil {
		f.Fatal(err)
	}
	ping := encode(typePing, struct{ SeqNo uint32 }{7})
	for _, b := range [][]byte{ping, withCRC(ping), compound(ping, ping), compound([]byte{typeCompress, 1}), {typeCompress}, compound(compound(ping))} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = open(a, b) // as a packet
		p, err := seal(a, b)
		if err != nil {
			return
		}
		got, err := open(a, p)
		if err != nil {
			return
		}
		if !bytes.Equal(got, b) {
			t.Errorf("%x opened as %x", b, got)
		}
		pingSeq(b)
		if err := harmless(b, 0); err != nil {
			t.Errorf("%x: %v", b, err)
		}
	})
}

// harmless walks a message as memberlist's ingestPacket and handleCommand do.
func harmless(b []byte, depth int) error {
	if len(b) >= 5 && b[0] == typeCRC && depth == 0 {
		b = b[5:]
	}
	if len(b) == 0 {
		return fmt.Errorf("empty at depth %d", depth)
	}
	switch b[0] {
	case typeCompress, typeUser, typeEncrypt, typePushPull, typeCRC, typeError, 244:
		return fmt.Errorf("type %d at depth %d", b[0], depth)
	case typeCompound:
		n := int(b[1])
		parts := b[2+2*n:]
		for i := range n {
			size := int(b[2+2*i])<<8 | int(b[3+2*i])
			if err := harmless(parts[:size], depth+1); err != nil {
				return err
			}
			parts = parts[size:]
		}
	}
	return nil
}

func FuzzHeader(f *testing.F) {
	f.Add(encode(typePushPull, struct {
		Nodes, UserStateLen int
		Join                bool
	}{3, 0, true})[1:])
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = checkHeader(b[:min(len(b), headRoom-1)])
	})
}
