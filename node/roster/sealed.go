package roster

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

const (
	// Kind is the first byte of a gossip packet.
	Kind = 0xE1
	// maxPacket fits an Ethernet frame with IPv4. What is sent is at most maxSent, which fits one with IPv6 too.
	maxPacket    = 1472
	maxSent      = 1452
	sealOverhead = 1 + 12 + 16 // kind, nonce, tag
	crcOverhead  = 5           // memberlist adds it to what it has made to measure

	gossipAAD = "earshot/v1 gossip"
)

// memberlist's message types, which its net.go promises only to add to.
const (
	typePing = iota
	typeIndirectPing
	typeAck
	typeSuspect
	typeAlive
	typeDead
	typePushPull
	typeCompound
	typeUser
	typeCompress
	typeEncrypt
	typeNack
	typeCRC
	typeError
)

var errPacket = errors.New("not a gossip packet of this network")

// newSeal returns the AEAD of gossip packets. Its nonces are random: the network's members share one key and nothing to count with. At the 2³² packets NIST
// SP 800-38D §8.3 allows, two nonces are equal with a probability of 2⁻³³. Ten idle instances send 40 a second (two probes and two answers each): that many in three years.
func newSeal(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("gossip key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal returns the packet that carries b.
func seal(a cipher.AEAD, b []byte) ([]byte, error) {
	if len(b)+sealOverhead > maxPacket {
		return nil, fmt.Errorf("gossip of %d bytes does not fit a packet", len(b))
	}
	return a.Seal(append(make([]byte, 0, sealOverhead+len(b)), Kind), nil, b, []byte(gossipAAD)), nil
}

// open returns what a packet carries, if that is something memberlist may see.
func open(a cipher.AEAD, packet []byte) ([]byte, error) {
	if len(packet) <= sealOverhead || len(packet) > maxPacket || packet[0] != Kind {
		return nil, errPacket
	}
	b, err := a.Open(nil, nil, packet[1:], []byte(gossipAAD))
	if err != nil {
		return nil, errPacket
	}
	inner := b
	if inner[0] == typeCRC && len(inner) >= crcOverhead {
		inner = inner[crcOverhead:]
	}
	if !plain(inner, true) {
		return nil, errPacket
	}
	return b, nil
}

// plain reports whether b is a message that memberlist sends without compression, encryption or label of its own, and without what it never sends (items), or a compound of such. One
// compressed datagram of 1.4 KB can cost 130 ms of CPU.
func plain(b []byte, compound bool) bool {
	if len(b) == 0 {
		return false
	}
	switch b[0] {
	case typePing, typeIndirectPing, typeAck, typeNack, typeSuspect, typeAlive, typeDead:
		return new(items).take(b[1:])
	case typeCompound:
		return compound && plainParts(b[1:])
	}
	return false
}

// plainParts checks the messages of a compound: u8 count, u16 lengths, messages. All but the first are news, which go with it: of pings, 11 bytes each, one packet would have a hundred answered, to
// whom it names.
func plainParts(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	n := int(b[0])
	lengths := b[1:]
	if len(lengths) < 2*n {
		return false
	}
	parts := lengths[2*n:]
	for i := range n {
		size := int(binary.BigEndian.Uint16(lengths[2*i:]))
		if size > len(parts) || !plain(parts[:size], false) || i > 0 && (parts[0] < typeSuspect || parts[0] > typeDead) {
			return false
		}
		parts = parts[size:]
	}
	return len(parts) == 0
}

// pingSeq returns the sequence number of the ping that a message is or, in a compound, begins with.
func pingSeq(b []byte) (uint32, bool) {
	if len(b) > crcOverhead && b[0] == typeCRC {
		b = b[crcOverhead:]
	}
	if len(b) > 2 && b[0] == typeCompound && len(b) > 2+2*int(b[1]) {
		b = b[2+2*int(b[1]):]
	}
	var p struct{ SeqNo uint32 }
	if len(b) == 0 || b[0] != typePing || codec.NewDecoderBytes(b[1:], new(codec.MsgpackHandle)).Decode(&p) != nil {
		return 0, false
	}
	return p.SeqNo, true
}

// ack returns the answer to a ping.
func ack(seq uint32) []byte {
	b := []byte{typeAck}
	var body []byte
	a := struct {
		SeqNo   uint32
		Payload []byte
	}{SeqNo: seq}
	codec.NewEncoderBytes(&body, new(codec.MsgpackHandle)).MustEncode(a)
	return append(b, body...)
}
