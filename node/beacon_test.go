package node

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"earshot/node/identity"
)

// What another machine sealed, and what is no beacon of this network.
func TestBeaconSeal(t *testing.T) {
	network := func(name, secret string) *identity.Network {
		n, err := identity.NewNetwork(name, []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	lobby, err := newBeaconSeal(network("lobby", ""))
	if err != nil {
		t.Fatal(err)
	}
	body := []byte{1, 1, 1, 2, 3, 4, 5, 6, 7, 0xab}
	packet, err := sealBeacon(lobby, body)
	if err != nil || len(packet) != 39 {
		t.Fatalf("%x %v", packet, err)
	}
	golden, err := hex.DecodeString("e29160b33a3559276a5c669a89f9bf5c4c61cd377d55bd94bc84f2db0cc9c0f66cbd4184701d41")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range [][]byte{packet, golden} {
		if got, err := openBeacon(lobby, p); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%x opens to %x %v", p, got, err)
		}
	}
	closed, err := newBeaconSeal(network("lobby", "0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := openBeacon(closed, packet); err == nil {
		t.Errorf("another network opens it to %x", got)
	}
	for i := range packet {
		bad := bytes.Clone(packet)
		bad[i] ^= 1
		if got, err := openBeacon(lobby, bad); err == nil {
			t.Errorf("with byte %d changed it opens to %x", i, got)
		}
	}
	long := lobby.Seal([]byte{beaconKind}, nil, make([]byte, maxBeacon), []byte(beaconAAD))
	for _, bad := range [][]byte{nil, long, packet[:1], packet[:beaconOverhead], append(bytes.Clone(packet), 0), []byte(strings.Repeat("\xe2", 2000))} {
		if got, err := openBeacon(lobby, bad); err == nil {
			t.Errorf("%x opens to %x", bad, got)
		}
	}
	if _, err := sealBeacon(lobby, make([]byte, maxBeacon)); err == nil {
		t.Error("it seals what nobody would open")
	}
}
