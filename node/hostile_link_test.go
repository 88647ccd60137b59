package node_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest/frames"
	"earshot/node/nodetest/hostile"
	"earshot/node/wire"
)

// linkAttacks are of a client, which would be let in, on one node that serves a closed network.
var linkAttacks = []struct {
	name string
	run  func(*testing.T, *victim, *hostile.Client)
}{
	{"01 wrong key", wrongKey},
	{"02 relay through two sessions", relayed},
	{"03 reflection", reflected},
	{"04 open and closed", openAndClosed},
	{"05 TLS 1.2", refusedTLS(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 })},
	{"06 no certificate", refusedTLS(func(c *tls.Config) { c.Certificates = nil })},
	{"06 ECDSA certificate", refusedTLS(func(c *tls.Config) { c.Certificates = []tls.Certificate{ecdsaCertificate()} })},
	{"06 two certificates", refusedTLS(func(c *tls.Config) {
		c.Certificates[0].Certificate = append(c.Certificates[0].Certificate, c.Certificates[0].Certificate[0])
	})},
	{"07 stolen certificate", stolenCertificate},
	{"08 wrong ALPN", refusedTLS(func(c *tls.Config) { c.NextProtos = []string{"h2"} })},
	{"08 no ALPN", refusedTLS(func(c *tls.Config) { c.NextProtos = nil })},
	{"09 silence", slow(false, nil)},
	{"09 silence after the handshake", slow(true, nil)},
	{"10 one byte a second", slow(false, append([]byte{22, 3, 1, 2, 0}, make([]byte, 507)...))},
	{"10 one byte of the proof a second", slow(true, append([]byte{0, 0, 0, 33, 1}, make([]byte, 32)...))},
	{"11 proof of 4 GB", hugeProof},
	{"12 200 connections from one address", manyConnections},
	{"13 dialling oneself", dialsItself},
	{"14 frame of 5 MB", hugeFrame},
	{"15 CBOR bombs", bombs},
}

var secrets = [][]byte{[]byte("ABCDEFGHIJKLMNOPQRSTUVWXY2"), []byte("ABCDEFGHIJKLMNOPQRSTUVWXY3")}

func networkOf(t *testing.T, name string, secret []byte) *identity.Network {
	t.Helper()
	n, err := identity.NewNetwork(name, secret)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func closedNetwork(t *testing.T) *identity.Network {
	t.Helper()
	return networkOf(t, message.Lobby, secrets[0])
}

func wrongKey(t *testing.T, v *victim, c *hostile.Client) {
	bad := *c
	bad.Secret = secrets[1]
	_, err := bad.Dial(t, v.at)
	silent(t, err)
	v.keepsOut(c)
	v.serves(c)
}

// between listens, and hands what dials it to somebody.
func between(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	l, s, err := hostile.Net{}.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(10 * time.Second))
				serve(c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); work.Wait() })
	return l.Addr().String()
}

// Mallory stands between two who hold the key, with a TLS session to each, and passes on every byte.
func relayed(t *testing.T, v *victim, c *hostile.Client) {
	passed := make(chan int64, 8)
	at := between(t, func(raw net.Conn) {
		there, err := c.Net.Dial(context.Background(), v.at)
		if err != nil {
			return
		}
		defer there.Close()
		in, out := tls.Server(raw, c.Config(t)), tls.Client(there, c.Config(t))
		out.SetDeadline(time.Now().Add(10 * time.Second))
		if in.Handshake() != nil || out.Handshake() != nil {
			return
		}
		var back sync.WaitGroup
		back.Go(func() { n, _ := io.Copy(out, in); passed <- n })
		io.Copy(in, out)
		raw.Close()
		back.Wait()
	})
	bob := stand(t, node.Config{Nick: "bob", Join: []string{at}})
	if n := <-passed; n != 37 {
		t.Fatalf("bob's proof was not passed on: %d bytes", n)
	}
	bob.until(patience, "goes on alone", func() bool { return bob.Hub().State == node.Serving || len(passed) > 0 })
	v.keepsOut(c)
	bob.keepsOut(c)
	v.serves(c)
}

// Mallory sends back what proves that the other holds the key: on the same connection, and on one back to who made it.
func reflected(t *testing.T, _ *victim, c *hostile.Client) {
	proofs := make(chan []byte, 8)
	at := between(t, func(raw net.Conn) {
		conn := tls.Server(raw, c.Config(t))
		proof := make([]byte, 37)
		if _, err := io.ReadFull(conn, proof); err != nil {
			return
		}
		conn.Write(proof)
		io.Copy(io.Discard, conn)
		select {
		case proofs <- proof:
		default:
		}
	})
	v := stand(t, node.Config{Join: []string{at}})
	proof := <-proofs // and it was refused, or the connection would stand
	conn := tls.Client(c.Raw(t, v.at), c.Config(t))
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	conn.Write(proof)
	hostile.Closed(t, conn.NetConn(), 4*time.Second)
	v.keepsOut(c)
}

func openAndClosed(t *testing.T, v *victim, c *hostile.Client) {
	open := stand(t, node.Config{Network: networkOf(t, message.Lobby, nil)})
	stranger := *c
	stranger.Secret = nil
	_, err := stranger.Dial(t, v.at)
	silent(t, err)
	_, err = c.Dial(t, open.at)
	silent(t, err)
	v.keepsOut(c)
	open.keepsOut(c)
	v.serves(c)
	open.serves(&stranger)
}

// refusedTLS is a client that knows the network's key, and whose TLS has one fault.
func refusedTLS(edit func(*tls.Config)) func(*testing.T, *victim, *hostile.Client) {
	return func(t *testing.T, v *victim, c *hostile.Client) {
		bad := *c
		bad.Edit = edit
		if _, err := bad.Dial(t, v.at); err == nil {
			t.Error("let in")
		}
		v.keepsOut(c)
		v.serves(c)
	}
}

func ecdsaCertificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	bare := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, bare, bare, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Certificates are sent to whoever connects: mallory shows that of the node itself, or of somebody else.
func stolenCertificate(t *testing.T, v *victim, c *hostile.Client) {
	probe := tls.Client(c.Raw(t, v.at), c.Config(t))
	if err := probe.Handshake(); err != nil {
		t.Fatal(err)
	}
	own := probe.ConnectionState().PeerCertificates[0].Raw
	for _, stolen := range [][]byte{own, hostile.Certificate(t, hostile.Key("bob")).Certificate[0]} {
		thief := *c
		thief.Edit = func(c *tls.Config) { c.Certificates[0].Certificate = [][]byte{stolen} }
		if _, err := thief.Dial(t, v.at); err == nil {
			t.Error("let in")
		}
	}
	v.keepsOut(c)
	v.serves(c)
}

// slow is a client that does not come to the end of admission: after the handshake, or before, it says a byte a second, or nothing.
func slow(shaken bool, says []byte) func(*testing.T, *victim, *hostile.Client) {
	return func(t *testing.T, v *victim, c *hostile.Client) {
		began := time.Now()
		raw := c.Raw(t, v.at)
		var conn io.Writer = raw
		if shaken {
			session := tls.Client(raw, c.Config(t))
			if err := session.Handshake(); err != nil {
				t.Fatal(err)
			}
			conn = session
		}
		closed := make(chan struct{})
		var drip sync.WaitGroup
		drip.Go(func() {
			every := time.NewTicker(time.Second)
			defer every.Stop()
			for i := range says {
				if _, err := conn.Write(says[i : i+1]); err != nil {
					return
				}
				select {
				case <-every.C:
				case <-closed:
					return
				}
			}
		})
		raw.SetReadDeadline(began.Add(patience))
		if _, err := io.Copy(io.Discard, raw); err != nil && !reset(err) {
			t.Errorf("not closed: %v", err)
		}
		if d := time.Since(began); d < 4500*time.Millisecond {
			t.Errorf("closed after %v", d)
		}
		close(closed)
		drip.Wait()
		v.keepsOut(c)
		v.serves(c)
	}
}

// A length is claimed, and not believed.
func hugeProof(t *testing.T, v *victim, c *hostile.Client) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	conn := tls.Client(c.Raw(t, v.at), c.Config(t))
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(append([]byte{0xff, 0xff, 0xff, 0xff, 1}, make([]byte, 64)...)); err != nil {
		t.Fatal(err)
	}
	if d := hostile.Closed(t, conn.NetConn(), 4*time.Second); d > 4*time.Second {
		t.Errorf("closed after %v", d)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<30 {
		t.Errorf("%d MB were taken", n>>20)
	}
	v.keepsOut(c)
	v.serves(c)
}

// Who comes with 200 connections at once, silent or admitted, gets its share, and everybody else is served.
func manyConnections(t *testing.T, _ *victim, c *hostile.Client) {
	if !manyAddresses {
		t.Skip("needs more than one loopback address")
	}
	v := stand(t, node.Config{})
	for range 200 {
		c.Raw(t, v.at)
	}
	other := *c
	other.Who, other.Net.IP = "carol", netip.AddrFrom4([4]byte{127, 0, 0, 3})
	began := time.Now()
	v.enter(&other, "carol").Hangup()
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("with 200 who are silent it took %v to be let in", d)
	}
	flood := *c
	flood.Net.IP = netip.AddrFrom4([4]byte{127, 0, 0, 2})
	var open []*tls.Conn
	for range 200 {
		if conn, err := flood.Dial(t, v.at); err == nil {
			open = append(open, conn)
		}
	}
	flooded := time.Now()
	for first := true; first || len(open) > 8 && time.Since(flooded) < 4*time.Second; first = false { // one that is too many is closed as soon as it was admitted; the others wait for HELLO, up to five seconds
		open = slices.DeleteFunc(open, func(conn *tls.Conn) bool {
			conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			_, err := conn.Read(make([]byte, 1))
			return !isTimeout(err)
		})
	}
	if n := len(open); n == 0 || n > 8 {
		t.Errorf("%d links of one address stand, want 8", n)
	}
	stands(t, v.enter(&other, "carol"))
	other.Net.IP = netip.AddrFrom4([4]byte{127, 0, 0, 4})
	v.serves(&other)
}

func isTimeout(err error) bool {
	var late net.Error
	return errors.As(err, &late) && late.Timeout()
}

// A node that is told to join itself finds out, and a HELLO of its own session is hung up on.
func dialsItself(t *testing.T, _ *victim, c *hostile.Client) {
	at := make(chan string, 1)
	door := between(t, func(raw net.Conn) { // the way back: as behind an address translator
		to := <-at
		at <- to
		out, err := hostile.Net{}.Dial(t.Context(), to)
		if err != nil {
			return
		}
		defer out.Close()
		go io.Copy(out, raw)
		io.Copy(raw, out)
	})
	v := stand(t, node.Config{Join: []string{door}})
	at <- v.at
	v.until(patience, "serves", func() bool { return v.Hub().State == node.Serving })
	v.keepsOut(c)
	p := c.Admitted(t, v.at)
	p.Send(wire.TypeHello, &wire.Hello{Version: wire.Version, Class: 1, Session: v.Session()})
	cut(t, p)
	v.keepsOut(c)
	v.serves(c)
}

func hugeFrame(t *testing.T, v *victim, c *hostile.Client) {
	frame := append(binary.BigEndian.AppendUint32(nil, 5<<20), byte(wire.TypeRun))
	for _, greeted := range []bool{false, true} {
		p := c.Admitted(t, v.at)
		if greeted {
			p.Hangup()
			p = v.enter(c, "mallory")
		}
		p.SetWriteDeadline(time.Now().Add(5 * time.Second))
		p.Write(append(frame, make([]byte, 1<<10)...))
		cut(t, p)
	}
	v.serves(c)
}

// Bodies that are small and claim to be large, or deep, or mean two things.
func bombs(t *testing.T, v *victim, c *hostile.Client) {
	hello := wire.Append(nil, wire.TypeHello, &wire.Hello{Version: wire.Version, Class: 1, Session: identity.NewSession(), Nick: "mallory"})[wire.HeaderLen:]
	twice := append([]byte{hello[0] + 1}, hello[1:]...)
	twice = append(twice, 0x05, 0x67)
	twice = append(twice, "another"...)
	bodies := map[string][]byte{
		"depth":               append(append([]byte{0xa1, 0x18, 99}, bytes.Repeat([]byte{0x81}, 60_000)...), 0),
		"an array of 2^62":    {0xa1, 0x09, 0x9b, 0x40, 0, 0, 0, 0, 0, 0, 0},
		"bytes of 2^62":       {0xa1, 0x0a, 0x5b, 0x40, 0, 0, 0, 0, 0, 0, 0},
		"a map of 2^62":       {0xbb, 0x40, 0, 0, 0, 0, 0, 0, 0},
		"a key twice":         twice,
		"an array of no end":  append([]byte{0xa1, 0x09, 0x9f}, bytes.Repeat([]byte{0x40}, 60_000)...),
		"a number of 60 KB":   append([]byte{0xa1, 0x01, 0xc2, 0x59, 0xea, 0x60}, make([]byte, 60_000)...),
		"nothing":             {},
		"what is not CBOR":    {0xff},
		"an array, not a map": {0x80},
	}
	for name, body := range bodies {
		for _, kind := range []wire.Type{wire.TypeHello, wire.TypeState} {
			t.Run(name, func(t *testing.T) {
				var p *frames.Peer
				if kind == wire.TypeHello {
					p = c.Admitted(t, v.at)
				} else {
					p = v.enter(c, "mallory")
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				p.Bytes(wire.AppendFrame(nil, kind, body))
				cut(t, p)
				runtime.ReadMemStats(&after)
				if n := after.TotalAlloc - before.TotalAlloc; n > 1<<30 {
					t.Errorf("%d MB were taken", n>>20)
				}
				p.Hangup()
			})
		}
	}
	v.serves(c)
}
