package identity

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func seeded(t testing.TB, b byte) *Identity {
	t.Helper()
	i, err := FromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func network(t testing.TB, name, secret string) *Network {
	t.Helper()
	n, err := NewNetwork(name, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFingerprint(t *testing.T) {
	id := seeded(t, 0).ID()
	if got, want := id.Fingerprint(), "3O5D-JNAR-CKNY-B6O7-PECP-GCQN"; got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
	if got := id.Tag(); got != "3O5D" {
		t.Errorf("tag %s", got)
	}
}

func TestSign(t *testing.T) {
	i := seeded(t, 1)
	sig := i.Sign([]byte("said"))
	if !i.ID().Verify([]byte("said"), sig) {
		t.Error("own signature refused")
	}
	if i.ID().Verify([]byte("sad"), sig) || seeded(t, 2).ID().Verify([]byte("said"), sig) || i.ID().Verify([]byte("said"), sig[:63]) {
		t.Error("a wrong signature passed")
	}
	if _, err := FromSeed(make([]byte, 31)); err == nil {
		t.Error("a short seed passed")
	}
}

func TestSession(t *testing.T) {
	s := NewSession()
	if got, err := ParseSession(s.String()); err != nil || got != s {
		t.Errorf("%v came back as %v, %v", s, got, err)
	}
	if NewSession() == s {
		t.Error("two sessions are equal")
	}
	for _, bad := range []string{"", "0011", "00112233445566zz", "001122334455667788", "AA11223344556677"} {
		if s, err := ParseSession(bad); err == nil {
			t.Errorf("%q parsed as %v", bad, s)
		}
	}
}

// Whoever logs one of these by mistake logs no secret, whatever the verb.
func TestSecretsNeverPrinted(t *testing.T) {
	seed := []byte("this seed is secret, all of it!!")
	i, err := FromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	n := network(t, "office", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	g, err := NewGate(i, n)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		I  Identity
		i  Identity
		N  Network
		n  *Network
		G  *Gate
		g  Gate
		in any
	}
	h := holder{*i, *i, *n, n, g, *g, *n}
	var logged bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(handler).Info("x", "i", i, "I", *i, "n", n, "N", *n, "g", g, "G", *g, "h", h)
	}
	printed := []string{logged.String()}
	for _, v := range []any{i, *i, n, *n, g, *g, h, &h, []any{i, *n, *g}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
			printed = append(printed, fmt.Sprintf(verb, v))
		}
	}
	out := strings.ToLower(strings.Join(printed, "\n"))
	for _, secret := range [][]byte{seed, n.keys().gossip, n.keys().admit, n.keys().mdns, n.keys().beacon} {
		for _, form := range []string{
			string(secret), hex.EncodeToString(secret),
			strings.Trim(fmt.Sprint(secret), "[]"),                                       // %v
			strings.Trim(strings.TrimPrefix(fmt.Sprintf("%#v", secret), "[]byte"), "{}"), // %#v
		} {
			if strings.Contains(out, strings.ToLower(form)) {
				t.Errorf("printed: %s", form)
			}
		}
	}
	if !strings.Contains(out, strings.ToLower(i.ID().Fingerprint())) {
		t.Error("nothing was printed at all")
	}
}
