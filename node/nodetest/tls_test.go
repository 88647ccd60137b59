package nodetest_test

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"syscall"
	"testing"
	"time"

	"earshot/node/nodetest"
)

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// handshake comes before any Read or Write: crypto/tls holds a mutex meanwhile, and a goroutine that waits for one stops fake time.
func handshake(t *testing.T, a, b *tls.Conn) {
	t.Helper()
	done := make(chan error)
	go func() { done <- b.Handshake() }()
	if err := a.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestTLSOverTheLAN(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		lan.Loss(10)
		rawA, rawB := pair(t, lan)
		a := tls.Client(rawA, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
		b := tls.Server(rawB, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
		handshake(t, a, b)
		const n = 1 << 20
		for _, c := range []*tls.Conn{a, b} {
			go c.Write(pattern(n))
		}
		done := make(chan bool)
		go func() {
			wantPattern(t, a, n)
			close(done)
		}()
		wantPattern(t, b, n)
		<-done
		a.SetReadDeadline(time.Now().Add(time.Second))
		_, err := a.Read(make([]byte, 1))
		wantTimeout(t, err)
		a.Close()
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after close_notify: %v", err)
		}
	})
}

func TestTLSPeerCrashes(t *testing.T) {
	bubble(t, func(t *testing.T, lan *nodetest.LAN) {
		rawA, rawB := pair(t, lan)
		a := tls.Client(rawA, &tls.Config{InsecureSkipVerify: true})
		b := tls.Server(rawB, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
		handshake(t, a, b)
		time.AfterFunc(time.Minute, func() { lan.Crash("b") })
		_, err := a.Read(make([]byte, 1))
		wantErr(t, "read", err, syscall.ECONNRESET)
	})
}
