// Package hostile is somebody who means harm to a node, over real sockets: a client that can break each thing an honest one keeps, and writes down what it likes.
//
// Admission is done here a second time, from the layouts in package identity's documentation and with crypto/tls alone, so that a test can leave out or change any part of it.
// What comes after is package frames'. It has no goroutine. All sockets are the loopback interface's (Net): nothing leaves the machine.
package hostile

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"earshot/node/identity"
	"earshot/node/nodetest/frames"
)

// Net is a port.Net of one address of 127.0.0.0/8; the zero value is 127.0.0.1.
type Net struct{ IP netip.Addr }

func (n Net) ip() string {
	if n.IP.IsValid() {
		return n.IP.String()
	}
	return "127.0.0.1"
}

// Listen binds TCP and UDP on one number.
func (n Net) Listen(port int) (net.Listener, net.PacketConn, error) {
	for try := 1; ; try++ {
		l, err := net.Listen("tcp4", net.JoinHostPort(n.ip(), strconv.Itoa(port)))
		if err != nil {
			return nil, nil, err
		}
		s, err := net.ListenPacket("udp4", l.Addr().String())
		if err == nil {
			return l, s, nil
		}
		l.Close()
		if port != 0 || try == 10 {
			return nil, nil, err
		}
	}
}

// Dial connects to an address of the loopback interface, and to no other.
func (n Net) Dial(ctx context.Context, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !to.Addr().IsLoopback() {
		return nil, fmt.Errorf("%s is not on this machine", address)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(n.ip())}}
	return d.DialContext(ctx, "tcp4", address)
}

// A Key is an Ed25519 key that is not behind the doors of package identity.
func Key(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	return ed25519.NewKeyFromSeed(seed)
}

// A Client is admitted as Who to the network of that name and secret, where nothing is changed.
type Client struct {
	Net    Net
	Who    string // frames.Identity's name
	Name   string // of the network; empty: lobby
	Secret []byte
	Edit   func(*tls.Config)
}

// Certificate is the bare one that goes with a key.
func Certificate(t testing.TB, key ed25519.PrivateKey) tls.Certificate {
	t.Helper()
	bare := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, bare, bare, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Config is the TLS configuration of either end.
func (c *Client) Config(t testing.TB) *tls.Config {
	t.Helper()
	config := &tls.Config{
		MinVersion:         tls.VersionTLS13,
		Certificates:       []tls.Certificate{Certificate(t, Key(c.Who))},
		ClientAuth:         tls.RequireAnyClientCert,
		InsecureSkipVerify: true,
		NextProtos:         []string{identity.ProtoChat},
	}
	if c.Edit != nil {
		c.Edit(config)
	}
	return config
}

// Raw connects, and says nothing.
func (c *Client) Raw(t testing.TB, address string) net.Conn {
	t.Helper()
	raw, err := c.Net.Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	return raw
}

// Proof is the frame that shows that role (dialer or listener) holds the network's key.
func (c *Client) Proof(t testing.TB, role string, dialer, listener identity.PeerID, cs tls.ConnectionState) []byte {
	t.Helper()
	name := c.Name
	if name == "" {
		name = "lobby"
	}
	salt := sha256.Sum256(append(binary.BigEndian.AppendUint16([]byte("earshot/v1 network\x00"), uint16(len(name))), name...))
	prk, err := hkdf.Extract(sha256.New, c.Secret, salt[:])
	if err != nil {
		t.Fatal(err)
	}
	expand := func(info string, n int) []byte {
		b, err := hkdf.Expand(sha256.New, prk, info, n)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	ekm, err := cs.ExportKeyingMaterial("EXPORTER-earshot-v1", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	m := hmac.New(sha256.New, expand("earshot/v1 admit", 32))
	for _, part := range [][]byte{[]byte("earshot/v1 admit " + role + "\x00"), expand("earshot/v1 netid", 16), dialer[:], listener[:], ekm} {
		m.Write(part)
	}
	return m.Sum([]byte{0, 0, 0, 33, 1})
}

// Dial runs admission to its end, as an honest client would but for Edit. The error is how the node refused.
func (c *Client) Dial(t testing.TB, address string) (*tls.Conn, error) {
	t.Helper()
	conn := tls.Client(c.Raw(t, address), c.Config(t))
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err := conn.Handshake(); err != nil {
		return nil, err
	}
	cs := conn.ConnectionState()
	me, they := ID(Key(c.Who)), Peer(cs)
	if _, err := conn.Write(c.Proof(t, "dialer", me, they, cs)); err != nil {
		return nil, err
	}
	var answer [37]byte
	if n, err := io.ReadFull(conn, answer[:]); err != nil {
		if n > 0 {
			t.Errorf("a refusal says %x", answer[:n])
		}
		return nil, err
	}
	if !bytes.Equal(answer[:], c.Proof(t, "listener", me, they, cs)) {
		t.Error("the node's own proof is wrong")
	}
	conn.SetDeadline(time.Time{})
	return conn, nil
}

// Admitted is Dial where that has to succeed.
func (c *Client) Admitted(t testing.TB, address string) *frames.Peer {
	t.Helper()
	conn, err := c.Dial(t, address)
	if err != nil {
		t.Fatalf("%s is not let in: %v", c.Who, err)
	}
	return frames.Over(t, conn)
}

// ID is the person of a key.
func ID(key ed25519.PrivateKey) identity.PeerID {
	return identity.PeerID(key.Public().(ed25519.PublicKey))
}

// Peer is who is at the other end.
func Peer(cs tls.ConnectionState) identity.PeerID {
	if len(cs.PeerCertificates) == 0 {
		return identity.PeerID{}
	}
	key, _ := cs.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if len(key) != ed25519.PublicKeySize {
		return identity.PeerID{}
	}
	return identity.PeerID(key)
}

// Closed waits until the other end has closed, without a word, and returns after how long.
func Closed(t testing.TB, c net.Conn, within time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	c.SetReadDeadline(began.Add(within))
	b, err := io.ReadAll(c)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Errorf("not closed within %v", within)
	}
	if len(b) > 0 {
		t.Errorf("closed with %d bytes: %x", len(b), b[:min(len(b), 64)])
	}
	return time.Since(began)
}
