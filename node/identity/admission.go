package identity

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// The ALPN names that split the one port. They are frozen: versions live in HELLO.
const (
	ProtoChat   = "earshot"
	ProtoGossip = "earshot-gossip"
	ProtoFile   = "earshot-file"
)

// AdmissionTimeout bounds everything from the first byte to the end of admission.
const AdmissionTimeout = 5 * time.Second

var (
	// ErrProof means the other side does not hold the network's key, or the channel is relayed.
	ErrProof = errors.New("the other side is not in this network")
	// ErrCertificate means the other side did not present exactly one bare Ed25519 certificate over TLS 1.3.
	ErrCertificate = errors.New("the other side has no valid identity")
	// ErrUnexpected means the other side is not the person that was dialled.
	ErrUnexpected = errors.New("another identity answered")
)

// A Conn is an admitted connection: both ends know each other's key and share the network. It has no deadline set.
type Conn struct {
	*tls.Conn
	Peer  PeerID
	Proto string
	out   *gatherer
}

// String returns the peer's fingerprint. Without it fmt would find the session's secrets in the TLS connection.
func (c Conn) String() string { return c.Peer.Fingerprint() }

// A Gate admits connections for one identity in one network.
type Gate struct {
	identity *Identity
	network  *Network
	// config returns a new TLS configuration for either role; its certificate carries nothing but the key. shared returns one for some protocols, the same for all connections: each keeps it,
	// and there are thousands. Functions, as in Identity.
	config func() *tls.Config
	shared func(protos []string) *tls.Config
}

// NewGate makes the certificate and the TLS configuration: 1.3 only, tickets off, no SNI, the default (hybrid) key exchange,
// full-size records from the start.
func NewGate(i *Identity, n *Network) (*Gate, error) {
	bare := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, bare, bare, i.key().Public(), i.key())
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	cert := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: i.key()}
	config := func() *tls.Config {
		return &tls.Config{
			MinVersion:                  tls.VersionTLS13,
			Certificates:                []tls.Certificate{cert},
			ClientAuth:                  tls.RequireAnyClientCert,
			InsecureSkipVerify:          true, // there is no authority: the checks below and the proof decide
			SessionTicketsDisabled:      true, // every link is a full handshake with a fresh signature
			DynamicRecordSizingDisabled: true,
			// It runs before the client's signature is checked: a refusal may come from here, but nothing may be learnt here.
			VerifyConnection: func(cs tls.ConnectionState) error { _, err := peerKey(cs); return err },
		}
	}
	var made sync.Map // by the protocols
	return &Gate{identity: i, network: n, config: config, shared: func(protos []string) *tls.Config {
		key := strings.Join(protos, " ")
		c, ok := made.Load(key)
		if !ok {
			one := config()
			one.NextProtos = slices.Clone(protos)
			c, _ = made.LoadOrStore(key, one)
		}
		return c.(*tls.Config)
	}}, nil
}

func (g *Gate) Identity() *Identity { return g.identity }
func (g *Gate) Network() *Network   { return g.network }

// Dial runs the dialer's side of admission over raw with the ALPN proto: TLS handshake, then
// HMAC(K_admit, "earshot/v1 admit dialer\0" || netid || pub_dialer || pub_listener || EKM) as the frame {u32 33, u8 1, 32 bytes},
// then the listener's ("…listener\0"), compared in constant time. want, if not nil, is the only key accepted. On any error raw is
// closed without a reason told; an end of ctx is such an error. Raw is the gate's to use until Dial returns.
func (g *Gate) Dial(ctx context.Context, raw net.Conn, proto string, want *PeerID) (*Conn, error) {
	return g.admit(ctx, raw, []string{proto}, tls.Client, func(c *tls.Conn, peer PeerID, ekm []byte) error {
		if want != nil && peer != *want {
			return ErrUnexpected
		}
		// The dialer proves first: who probes a listener learns nothing.
		if _, err := c.Write(proofFrame(g.proof(dialer, g.identity.id, peer, ekm))); err != nil {
			return err
		}
		return readProof(c, g.proof(listener, g.identity.id, peer, ekm))
	})
}

// Accept runs the listener's side for any of protos. The connection does not keep the other side's certificate.
func (g *Gate) Accept(ctx context.Context, raw net.Conn, protos ...string) (*Conn, error) {
	c, err := g.admit(ctx, raw, protos, tls.Server, func(c *tls.Conn, peer PeerID, ekm []byte) error {
		if err := readProof(c, g.proof(dialer, peer, g.identity.id, ekm)); err != nil {
			return err
		}
		_, err := c.Write(proofFrame(g.proof(listener, peer, g.identity.id, ekm)))
		return err
	})
	if err == nil {
		clear(c.ConnectionState().PeerCertificates) // they are the connection's own, 1.6 KB for as long as it lasts
	}
	return c, err
}

// admit is what both sides have in common: the deadline over everything, TLS, the peer's key, and how it ends.
func (g *Gate) admit(ctx context.Context, raw net.Conn, protos []string, role func(net.Conn, *tls.Config) *tls.Conn,
	prove func(c *tls.Conn, peer PeerID, ekm []byte) error) (conn *Conn, err error) {
	aborted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { raw.Close(); close(aborted) })
	defer func() {
		if !stop() {
			<-aborted
			err = ctx.Err()
		}
		if err == nil {
			err = raw.SetDeadline(time.Time{})
		}
		if err != nil {
			raw.Close() // not the TLS connection: no close_notify, nothing to linger on
			conn, err = nil, fmt.Errorf("admission: %w", err)
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, err // before a byte is read: who comes too late costs nothing
	}
	if err := raw.SetDeadline(time.Now().Add(AdmissionTimeout)); err != nil {
		return nil, err
	}
	out := gather(raw)
	c := role(out, g.shared(protos))
	if err := c.Handshake(); err != nil {
		return nil, err
	}
	cs := c.ConnectionState()
	peer, err := peerKey(cs)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(protos, cs.NegotiatedProtocol) { // a peer that offers no ALPN at all gets this far
		return nil, ErrCertificate
	}
	ekm, err := cs.ExportKeyingMaterial("EXPORTER-earshot-v1", nil, 32)
	if err != nil {
		return nil, err
	}
	if err := prove(c, peer, ekm); err != nil {
		return nil, err
	}
	return &Conn{Conn: c, Peer: peer, Proto: cs.NegotiatedProtocol, out: out}, nil
}

// peerKey returns the key in the other side's certificate, if that is one that NewGate could have made.
func peerKey(cs tls.ConnectionState) (PeerID, error) {
	if cs.Version != tls.VersionTLS13 || cs.DidResume || cs.ServerName != "" || len(cs.PeerCertificates) != 1 {
		return PeerID{}, ErrCertificate
	}
	cert := cs.PeerCertificates[0]
	pub, ok := cert.PublicKey.(ed25519.PublicKey)
	if !ok || len(pub) != ed25519.PublicKeySize || len(cert.Extensions) != 0 || len(cert.Subject.Names) != 0 || len(cert.Issuer.Names) != 0 {
		return PeerID{}, ErrCertificate
	}
	return PeerID(pub), nil
}

// The roles keep a proof from being sent back to who made it.
const (
	dialer   = "dialer"
	listener = "listener"
)

// proof returns what role has to send. Both keys are named because the exporter covers the handshake only up to the server's
// Finished (RFC 8446 §7.5), which is before the client's certificate.
func (g *Gate) proof(role string, dialer, listener PeerID, ekm []byte) [sha256.Size]byte {
	id := g.network.id
	return [sha256.Size]byte(mac(g.network.keys().admit, []byte("earshot/v1 admit "+role+"\x00"), id[:], dialer[:], listener[:], ekm))
}

// The frame of a proof: u32 length of type and body, u8 type, body. Before admission no other is read.
const (
	proofLength = 1 + sha256.Size
	proofType   = 1
)

func proofFrame(p [sha256.Size]byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, proofLength)
	return append(append(b, proofType), p[:]...)
}

// readProof reads one frame and not a byte further, and compares. An end of the connection is how a refusal looks from here,
// so that is ErrProof too; a deadline is not.
func readProof(r io.Reader, want [sha256.Size]byte) error {
	var head [5]byte
	var body [sha256.Size]byte
	_, err := io.ReadFull(r, head[:])
	if err == nil {
		if binary.BigEndian.Uint32(head[:]) != proofLength || head[4] != proofType {
			return ErrProof
		}
		_, err = io.ReadFull(r, body[:])
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", ErrProof, err)
	case !hmac.Equal(body[:], want[:]):
		return ErrProof
	}
	return nil
}
