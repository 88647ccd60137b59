package identity

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	secret1 = "ABCDEFGHIJKLMNOPQRSTUVWXY2"
	secret2 = "ABCDEFGHIJKLMNOPQRSTUVWXY3"
)

func gate(t testing.TB, i *Identity, n *Network) *Gate {
	t.Helper()
	g, err := NewGate(i, n)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// result is how admission ended on one side.
type result struct {
	conn *Conn
	err  error
	raw  *pipeEnd
}

// meet runs both sides over a pipe.
func meet(t testing.TB, dial, accept *Gate, want *PeerID) (d, l result) {
	t.Helper()
	a, b := pipe()
	done := make(chan result, 1)
	go func() {
		c, err := accept.Accept(context.Background(), b, ProtoChat, ProtoGossip)
		done <- result{c, err, b}
	}()
	c, err := dial.Dial(context.Background(), a, ProtoGossip, want)
	return result{c, err, a}, <-done
}

// attack runs an attacker at the far end of a connection to Accept and returns how Accept ended.
func attack(t testing.TB, accept *Gate, attacker func(raw net.Conn)) result {
	t.Helper()
	a, b := pipe()
	go attacker(a)
	c, err := accept.Accept(context.Background(), b, ProtoChat)
	return result{c, err, b}
}

// refused checks that a side let nobody in, for the reason given, and closed.
func (r result) refused(t testing.TB, side string, want error) {
	t.Helper()
	if r.err == nil || r.conn != nil {
		t.Fatalf("%s let the other side in", side)
	}
	if want != nil && !errors.Is(r.err, want) {
		t.Errorf("%s: %v, want %v", side, r.err, want)
	}
	if !r.raw.closed() {
		t.Errorf("%s left the connection open", side)
	}
}

func TestAdmission(t *testing.T) {
	alice, bob := seeded(t, 1), seeded(t, 2)
	bobID := bob.ID()
	for _, v := range []struct {
		name   string
		secret string
		accept *Identity
		want   *PeerID
	}{
		{"open", "", bob, nil},
		{"closed", secret1, bob, nil},
		{"expected", secret1, bob, &bobID},
		{"own key on another machine", secret1, alice, nil},
	} {
		t.Run(v.name, func(t *testing.T) {
			n := network(t, "lobby", v.secret)
			d, l := meet(t, gate(t, alice, n), gate(t, v.accept, n), v.want)
			if d.err != nil || l.err != nil {
				t.Fatal(d.err, l.err)
			}
			if d.conn.Peer != v.accept.ID() || l.conn.Peer != alice.ID() {
				t.Error("wrong peers")
			}
			if d.conn.Proto != ProtoGossip || l.conn.Proto != ProtoGossip {
				t.Error("wrong protocols", d.conn.Proto, l.conn.Proto)
			}
			if !d.raw.deadline().IsZero() || !l.raw.deadline().IsZero() {
				t.Error("a deadline was left")
			}
			cs := d.conn.ConnectionState()
			if cs.CurveID != tls.X25519MLKEM768 || cs.Version != tls.VersionTLS13 {
				t.Error("not the hybrid key exchange of TLS 1.3:", cs.CurveID, cs.Version)
			}
			talk(t, d.conn, l.conn)
			talk(t, l.conn, d.conn)
			if s := fmt.Sprintf("%s %v %+v", l.conn, *l.conn, l.conn); strings.Contains(strings.ToLower(s), "secret") || !strings.Contains(s, alice.String()) {
				t.Error("a connection prints as", s)
			}
		})
	}
}

func talk(t *testing.T, from, to net.Conn) {
	t.Helper()
	if _, err := from.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(to, b); err != nil || string(b) != "hello" {
		t.Fatal(string(b), err)
	}
}

// The certificate is bare: who looks at it, or at the code, learns the key and nothing else.
func TestCertificateIsBare(t *testing.T) {
	g := gate(t, seeded(t, 1), network(t, "lobby", ""))
	cert, err := x509.ParseCertificate(g.config().Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(cert.Extensions) != 0 || cert.Subject.String() != "" || cert.Issuer.String() != "" || cert.SerialNumber.Cmp(big.NewInt(1)) != 0 {
		t.Errorf("%+v", cert)
	}
}

// Attacks 1 and 4: another key, another name, or none.
func TestWrongNetwork(t *testing.T) {
	n := network(t, "lobby", secret1)
	for _, v := range []struct {
		name         string
		dial, accept *Network
	}{
		{"wrong key", network(t, "lobby", secret2), n},
		{"open dials closed", network(t, "lobby", ""), n},
		{"closed dials open", n, network(t, "lobby", "")},
		{"another name", network(t, "lobbz", secret1), n},
	} {
		t.Run(v.name, func(t *testing.T) {
			d, l := meet(t, gate(t, seeded(t, 1), v.dial), gate(t, seeded(t, 2), v.accept), nil)
			d.refused(t, "dialer", ErrProof)
			l.refused(t, "listener", ErrProof)
		})
	}
}

// A refusal after the handshake is an end of the connection and nothing else: no alert, no close_notify.
func TestRefusalGivesNoReason(t *testing.T) {
	listen := gate(t, seeded(t, 2), network(t, "lobby", secret1))
	config := gate(t, seeded(t, 1), network(t, "lobby", secret1)).config()
	config.NextProtos = []string{ProtoChat}
	said := make(chan error, 1)
	attack(t, listen, func(raw net.Conn) {
		c := tls.Client(raw, config)
		c.Write(proofFrame([32]byte{}))
		_, err := io.ReadFull(raw, make([]byte, 1)) // raw: anything that follows the handshake, were it encrypted
		said <- err
	}).refused(t, "listener", ErrProof)
	if err := <-said; err != io.EOF {
		t.Errorf("after the refusal came %v", err)
	}
}

func TestUnexpected(t *testing.T) {
	n := network(t, "lobby", secret1)
	carol := seeded(t, 3).ID()
	d, l := meet(t, gate(t, seeded(t, 1), n), gate(t, seeded(t, 2), n), &carol)
	d.refused(t, "dialer", ErrUnexpected)
	l.refused(t, "listener", nil)
}

// Attack 2: who has no key and relays between two TLS sessions is found out by both ends.
func TestRelay(t *testing.T) {
	n := network(t, "lobby", secret1)
	config := gate(t, seeded(t, 3), n).config()
	config.NextProtos = []string{ProtoChat}
	a, relayA := pipe()
	relayB, b := pipe()
	done := make(chan result, 1)
	go func() {
		c, err := gate(t, seeded(t, 2), n).Accept(context.Background(), b, ProtoChat)
		done <- result{c, err, b}
	}()
	go func() {
		s, c := tls.Server(relayA, config), tls.Client(relayB, config)
		if s.Handshake() != nil || c.Handshake() != nil {
			return
		}
		go func() { io.Copy(c, s); relayB.Close() }()
		io.Copy(s, c)
		relayA.Close()
	}()
	c, err := gate(t, seeded(t, 1), n).Dial(context.Background(), a, ProtoChat, nil)
	result{c, err, a}.refused(t, "dialer", ErrProof)
	(<-done).refused(t, "listener", ErrProof)
}

// Attack 3: a listener without the key sends the dialer its own proof.
func TestReflection(t *testing.T) {
	n := network(t, "lobby", secret1)
	config := gate(t, seeded(t, 3), n).config()
	config.NextProtos = []string{ProtoChat}
	a, b := pipe()
	reflected := make(chan int64, 1)
	go func() {
		s := tls.Server(b, config)
		n, _ := io.CopyN(s, s, 4+proofLength)
		reflected <- n
	}()
	c, err := gate(t, seeded(t, 1), n).Dial(context.Background(), a, ProtoChat, nil)
	result{c, err, a}.refused(t, "dialer", ErrProof)
	if n := <-reflected; n != 4+proofLength {
		t.Errorf("reflected %d bytes only", n)
	}
}

// Attacks 5 to 8: what is wrong with the client's TLS. Each client knows the network's key, and a client whose TLS is in order
// is let in by the same road, so nothing but the fault can be the reason.
func TestBadTLS(t *testing.T) {
	n := network(t, "lobby", secret1)
	alice, bob, carol := gate(t, seeded(t, 1), n), gate(t, seeded(t, 2), n), gate(t, seeded(t, 3), n)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certify := func(edit func(*x509.Certificate), key any, pub any) tls.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
		edit(c)
		der, err := x509.CreateCertificate(rand.Reader, c, c, pub, key)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	aliceKey := seeded(t, 1).key()
	for _, v := range []struct {
		name string
		edit func(c *tls.Config)
		want error
	}{
		{"nothing wrong", func(c *tls.Config) {}, nil},
		{"TLS 1.2", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }, errAny},
		{"no certificate", func(c *tls.Config) { c.Certificates = nil }, errAny},
		{"an ECDSA certificate", func(c *tls.Config) {
			c.Certificates = []tls.Certificate{certify(func(*x509.Certificate) {}, ecKey, ecKey.Public())}
		}, ErrCertificate},
		{"two certificates", func(c *tls.Config) {
			own := c.Certificates[0]
			own.Certificate = [][]byte{own.Certificate[0], carol.config().Certificates[0].Certificate[0]}
			c.Certificates = []tls.Certificate{own}
		}, ErrCertificate},
		{"a certificate with a name", func(c *tls.Config) {
			c.Certificates = []tls.Certificate{certify(func(x *x509.Certificate) { x.Subject.CommonName = "x" }, aliceKey, aliceKey.Public())}
		}, ErrCertificate},
		{"a certificate with an extension", func(c *tls.Config) {
			c.Certificates = []tls.Certificate{certify(func(x *x509.Certificate) { x.DNSNames = []string{"x"} }, aliceKey, aliceKey.Public())}
		}, ErrCertificate},
		{"a stolen certificate", func(c *tls.Config) {
			c.Certificates[0].Certificate = carol.config().Certificates[0].Certificate
		}, errAny},
		{"another ALPN", func(c *tls.Config) { c.NextProtos = []string{"h2"} }, errAny},
		{"no ALPN", func(c *tls.Config) { c.NextProtos = nil }, ErrCertificate},
		{"a server name", func(c *tls.Config) { c.ServerName = "earshot.example" }, ErrCertificate},
	} {
		t.Run(v.name, func(t *testing.T) {
			config := alice.config()
			config.NextProtos = []string{ProtoChat}
			v.edit(config)
			config.VerifyConnection = nil
			closed := make(chan struct{})
			r := attack(t, bob, func(raw net.Conn) {
				defer close(closed)
				c := tls.Client(raw, config)
				if c.Handshake() != nil {
					return
				}
				cs := c.ConnectionState()
				ekm, _ := cs.ExportKeyingMaterial("EXPORTER-earshot-v1", nil, 32)
				c.Write(proofFrame(alice.proof(dialer, alice.identity.id, bob.identity.id, ekm)))
				readProof(c, alice.proof(listener, alice.identity.id, bob.identity.id, ekm))
			})
			<-closed
			if v.want == nil {
				if r.err != nil || r.conn.Peer != alice.identity.id {
					t.Fatal(r.err)
				}
				return
			}
			r.refused(t, "listener", nil)
			if v.want != errAny && !errors.Is(r.err, v.want) {
				t.Errorf("%v, want %v", r.err, v.want)
			}
			if v.want == errAny && errors.Is(r.err, ErrProof) {
				t.Errorf("got as far as the proof: %v", r.err)
			}
		})
	}
}

// errAny stands for an error of crypto/tls that has no name.
var errAny = errors.New("any error of the handshake")

// The dialer looks just as closely: a listener that answers with another key's certificate has no business here.
func TestBadListener(t *testing.T) {
	n := network(t, "lobby", secret1)
	alice, bob, carol := gate(t, seeded(t, 1), n), gate(t, seeded(t, 2), n), gate(t, seeded(t, 3), n)
	for name, edit := range map[string]func(c *tls.Config){
		"TLS 1.2": func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 },
		"no ALPN": func(c *tls.Config) { c.NextProtos = nil },
		"a stolen certificate": func(c *tls.Config) {
			c.Certificates[0].Certificate = carol.config().Certificates[0].Certificate
		},
		"two certificates": func(c *tls.Config) {
			c.Certificates[0].Certificate = append(c.Certificates[0].Certificate[:1:1], c.Certificates[0].Certificate[0])
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := bob.config()
			config.NextProtos = []string{ProtoChat}
			config.Certificates = append([]tls.Certificate(nil), config.Certificates...)
			edit(config)
			a, b := pipe()
			go func() { tls.Server(b, config).Handshake() }()
			c, err := alice.Dial(context.Background(), a, ProtoChat, nil)
			result{c, err, a}.refused(t, "dialer", nil)
			if errors.Is(err, ErrProof) {
				t.Error("got as far as the proof:", err)
			}
		})
	}
}

// Attacks 9 and 10: silence and one byte a second, from the first byte on and after the handshake.
func TestSlow(t *testing.T) {
	n := network(t, "lobby", secret1)
	alice, bob := gate(t, seeded(t, 1), n), gate(t, seeded(t, 2), n)
	config := alice.config()
	config.NextProtos = []string{ProtoChat}
	drip := func(w io.Writer, b []byte) {
		for i := range b {
			if _, err := w.Write(b[i : i+1]); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
	for name, attacker := range map[string]func(raw net.Conn){
		"silence":                     func(net.Conn) {},
		"one byte a second":           func(raw net.Conn) { drip(raw, append([]byte{22, 3, 1, 2, 0}, make([]byte, 507)...)) },
		"silence after the handshake": func(raw net.Conn) { tls.Client(raw, config).Handshake() },
		"one byte of the proof a second": func(raw net.Conn) {
			drip(tls.Client(raw, config), proofFrame([32]byte{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, gone := time.Now(), make(chan struct{})
				r := attack(t, bob, func(raw net.Conn) { attacker(raw); close(gone) })
				defer func() { <-gone }()
				r.refused(t, "listener", os.ErrDeadlineExceeded)
				if d := time.Since(start); d != AdmissionTimeout {
					t.Errorf("closed after %v", d)
				}
				if errors.Is(r.err, ErrProof) {
					t.Error("slowness was taken for a wrong key")
				}
			})
		})
	}
	t.Run("a silent listener", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			a, _ := pipe()
			c, err := alice.Dial(context.Background(), a, ProtoChat, nil)
			result{c, err, a}.refused(t, "dialer", os.ErrDeadlineExceeded)
			if d := time.Since(start); d != AdmissionTimeout {
				t.Errorf("closed after %v", d)
			}
		})
	})
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate(t, seeded(t, 1), network(t, "lobby", ""))
		for _, v := range []struct {
			name string
			run  func(ctx context.Context, raw net.Conn) (*Conn, error)
		}{
			{"Dial", func(ctx context.Context, raw net.Conn) (*Conn, error) { return g.Dial(ctx, raw, ProtoChat, nil) }},
			{"Accept", func(ctx context.Context, raw net.Conn) (*Conn, error) { return g.Accept(ctx, raw, ProtoChat) }},
		} {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			start := time.Now()
			a, _ := pipe()
			c, err := v.run(ctx, a)
			result{c, err, a}.refused(t, v.name, context.DeadlineExceeded)
			if d := time.Since(start); d != time.Second {
				t.Errorf("%s ended after %v", v.name, d)
			}
			a, _ = pipe()
			c, err = v.run(ctx, a)
			result{c, err, a}.refused(t, v.name, context.DeadlineExceeded)
		}
	})
}

// Once admitted, a connection does not hang on the context it was admitted under.
func TestCancelAfterAdmission(t *testing.T) {
	n := network(t, "lobby", "")
	ctx, cancel := context.WithCancel(context.Background())
	a, b := pipe()
	done := make(chan *Conn, 1)
	go func() {
		c, _ := gate(t, seeded(t, 2), n).Accept(ctx, b, ProtoChat)
		done <- c
	}()
	d, err := gate(t, seeded(t, 1), n).Dial(ctx, a, ProtoChat, nil)
	l := <-done
	if err != nil || l == nil {
		t.Fatal(err, l)
	}
	cancel()
	talk(t, d, l)
}

// Attack 11: lengths and types that are not a proof's are refused by the head alone; nothing is allocated for them and
// nothing is waited for.
func TestProofHead(t *testing.T) {
	for _, head := range [][]byte{
		{0xff, 0xff, 0xff, 0xff, 1},
		{0, 0, 0, 32, 1},
		{0, 0, 0, 34, 1},
		{0, 0, 0, 33, 2},
		{0, 0, 0, 33, 0},
		{0, 0, 0, 0, 1},
	} {
		rest := strings.NewReader(strings.Repeat("x", 100))
		err := readProof(io.MultiReader(bytes.NewReader(head), rest), [32]byte{})
		if !errors.Is(err, ErrProof) {
			t.Errorf("%x: %v", head, err)
		}
		if rest.Len() != 100 {
			t.Errorf("%x: read %d bytes after the head", head, 100-rest.Len())
		}
	}
	huge := bytes.NewReader([]byte{0xff, 0xff, 0xff, 0xff, 1})
	var want [32]byte
	if n := testing.AllocsPerRun(100, func() { huge.Seek(0, io.SeekStart); readProof(huge, want) }); n > 2 { // head and body, on the heap for the interface's sake
		t.Errorf("%v allocations", n)
	}
}

// What goes over the wire, for keys of seeds 01… and 02…, the network (lobby, 00 01 … 0f) and 32 bytes of 0x5a for the EKM.
func TestProofGolden(t *testing.T) {
	secret := make([]byte, 16)
	for i := range secret {
		secret[i] = byte(i)
	}
	alice, bob := seeded(t, 1), seeded(t, 2)
	g := gate(t, alice, network(t, "lobby", string(secret)))
	ekm := bytes.Repeat([]byte{0x5a}, 32)
	for role, want := range map[string]string{
		dialer:   "000000210143c53ba8b11d690663a2b5d3dc2c47ed5b966925f5b6eab85144b5eabd395566",
		listener: "0000002101e77223e4f5e27a0200ba8acd5ac0090e0e114c4b0d6909b92d5a086f0e3eb505",
	} {
		if got := hex.EncodeToString(proofFrame(g.proof(role, alice.ID(), bob.ID(), ekm))); got != want {
			t.Errorf("%s: %s, want %s", role, got, want)
		}
	}
}

// BenchmarkAdmission is both sides of one, on one CPU or two.
func BenchmarkAdmission(b *testing.B) {
	n := network(b, "lobby", secret1)
	alice, bob := gate(b, seeded(b, 1), n), gate(b, seeded(b, 2), n)
	b.ReportAllocs()
	for b.Loop() {
		if d, l := meet(b, alice, bob, nil); d.err != nil || l.err != nil {
			b.Fatal(d.err, l.err)
		}
	}
}

func FuzzReadProof(f *testing.F) {
	want := [32]byte{1, 2, 3}
	f.Add(proofFrame(want))
	f.Add(append(proofFrame(want), 7))
	f.Add(proofFrame([32]byte{}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Add(proofFrame(want)[:20])
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		err := readProof(r, want)
		if (err == nil) != bytes.HasPrefix(b, proofFrame(want)) {
			t.Fatalf("%x: %v", b, err)
		}
		if err != nil && !errors.Is(err, ErrProof) {
			t.Fatalf("%x: %v", b, err)
		}
		read := len(b) - r.Len()
		if read > 37 || read > 5 && (binary.BigEndian.Uint32(b) != 33 || b[4] != 1) {
			t.Fatalf("%x: read %d bytes", b, read)
		}
	})
}
