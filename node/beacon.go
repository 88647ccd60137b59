package node

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"net/netip"

	"earshot/node/identity"
)

// A beacon on the wire is 0xE2 || nonce 12 || AES-256-GCM(K_beacon, AAD "earshot/v1 beacon"). Random nonces do here as they do for gossip, which sends a thousand times
// as many packets (see roster). Whoever recorded one can send it again: discovery believes of it no more than where it came from, and what is there must then be admitted.
const (
	beaconKind     = 0xE2
	beaconAAD      = "earshot/v1 beacon"
	beaconOverhead = 1 + 12 + 16 // kind, nonce, tag
	maxBeacon      = 64          // bytes, sealed: what is longer is not even opened
)

var errBeacon = errors.New("not a beacon of this network")

func newBeaconSeal(n *identity.Network) (cipher.AEAD, error) {
	block, err := aes.NewCipher(n.BeaconKey())
	if err != nil {
		return nil, fmt.Errorf("beacon key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func sealBeacon(a cipher.AEAD, body []byte) ([]byte, error) {
	if len(body)+beaconOverhead > maxBeacon {
		return nil, fmt.Errorf("a beacon of %d bytes is too long", len(body))
	}
	return a.Seal([]byte{beaconKind}, nil, body, []byte(beaconAAD)), nil
}

func openBeacon(a cipher.AEAD, packet []byte) ([]byte, error) {
	if len(packet) < beaconOverhead || len(packet) > maxBeacon || packet[0] != beaconKind {
		return nil, errBeacon
	}
	body, err := a.Open(nil, nil, packet[1:], []byte(beaconAAD))
	if err != nil {
		return nil, errBeacon
	}
	return body, nil
}

// Beacon sends body from the port's UDP socket, sealed: only members of the network can read it. To may be a broadcast address.
func (n *Node) Beacon(body []byte, to netip.AddrPort) error {
	p, err := sealBeacon(n.beacon, body)
	if err != nil {
		return err
	}
	return n.port.Send(p, to)
}

// HearBeacons has heard called for each beacon of a member of the network, one at a time; it must not block. Call it before Run.
func (n *Node) HearBeacons(heard func(body []byte, from netip.AddrPort)) {
	n.port.HandlePackets(beaconKind, func(packet []byte, from netip.AddrPort) {
		if body, err := openBeacon(n.beacon, packet); err == nil {
			heard(body, from)
		}
	})
}
