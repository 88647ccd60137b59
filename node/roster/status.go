package roster

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"earshot/node/identity"
)

// Status is what an instance publishes of itself. It is signed and must fit memberlist's Meta of 512 bytes.
type Status struct {
	Class    uint8
	Hub      bool
	Weight   uint8
	Term     uint64
	LostHub  identity.Session
	LostTerm uint64
	Tags     [][8]byte // of at most four realms; more are left out
}

func (s Status) equal(o Status) bool {
	same := slices.Equal(s.Tags, o.Tags)
	return same && s.Class == o.Class && s.Hub == o.Hub && s.Weight == o.Weight && s.Term == o.Term && s.LostHub == o.LostHub && s.LostTerm == o.LostTerm
}

// The Meta of a node, integers big-endian:
//
//	u8 version of the protocol, person 32, u8 class, u8 flags (1: hub), u8 weight, u32 serial, u64 term, lost hub 8, u64 lost term,
//	u8 count and that many tags of 8, signature 64
//
// The signature is over "earshot/v1 status\0" || network id 16 || u8 length and name || address 16 (IPv4 in IPv6 form) || u16 port || all before it.
// serial counts up in each process, so that nobody can bring an old status up again.
const (
	metaFixed = 1 + 32 + 3 + 4 + 8 + 8 + 8 + 1
	maxTags   = 4
	maxMeta   = metaFixed + maxTags*8 + signatureLen
	maxClass  = 3
	maxWeight = 64 // bits.Len of a follower count

	signatureLen = 64
	statusLabel  = "earshot/v1 status\x00"
)

var errMeta = errors.New("not a valid status")

// A signed status is a Meta taken apart.
type signed struct {
	Status
	version uint8
	person  identity.PeerID
	serial  uint32
}

// encodeMeta returns a Meta without its signature.
func encodeMeta(s signed) []byte {
	b := make([]byte, 0, maxMeta)
	b = append(b, s.version)
	b = append(b, s.person[:]...)
	b = append(b, s.Class, 0, s.Weight)
	if s.Hub {
		b[34] = 1
	}
	b = binary.BigEndian.AppendUint32(b, s.serial)
	b = binary.BigEndian.AppendUint64(b, s.Term)
	b = append(b, s.LostHub[:]...)
	b = binary.BigEndian.AppendUint64(b, s.LostTerm)
	tags := s.Tags[:min(len(s.Tags), maxTags)]
	b = append(b, byte(len(tags)))
	for _, t := range tags {
		b = append(b, t[:]...)
	}
	return b
}

// decodeMeta reads what encodeMeta wrote and returns the signature that follows it. There is one encoding of a status.
func decodeMeta(b []byte) (s signed, signature []byte, err error) {
	if len(b) < metaFixed+signatureLen || len(b) > maxMeta {
		return s, nil, errMeta
	}
	s.version = b[0]
	copy(s.person[:], b[1:])
	s.Class, s.Hub, s.Weight = b[33], b[34] == 1, b[35]
	s.serial = binary.BigEndian.Uint32(b[36:])
	s.Term = binary.BigEndian.Uint64(b[40:])
	copy(s.LostHub[:], b[48:])
	s.LostTerm = binary.BigEndian.Uint64(b[56:])
	n := int(b[64])
	switch {
	case b[34] > 1, s.Class > maxClass, s.Weight > maxWeight, n > maxTags, len(b) != metaFixed+8*n+signatureLen:
		return s, nil, errMeta
	case s.Hub && s.Class == 0: // a never-hub that claims
		return s, nil, errMeta
	}
	for i := range n {
		s.Tags = append(s.Tags, [8]byte(b[metaFixed+8*i:]))
	}
	return s, b[metaFixed+8*n:], nil
}

// statement is what the signature is over.
func statement(id identity.NetworkID, name string, at netip.AddrPort, body []byte) []byte {
	b := append([]byte(statusLabel), id[:]...)
	b = append(b, byte(len(name)))
	b = append(b, name...)
	a := at.Addr().WithZone("").As16()
	b = append(b, a[:]...)
	b = binary.BigEndian.AppendUint16(b, at.Port())
	return append(b, body...)
}

// signMeta returns the Meta of who, called name and reached at an address.
func signMeta(who *identity.Identity, id identity.NetworkID, name string, at netip.AddrPort, s signed) []byte {
	s.person = who.ID()
	body := encodeMeta(s)
	return append(body, who.Sign(statement(id, name, at, body))...)
}

// verifyMeta decodes a Meta and checks its signature.
func verifyMeta(id identity.NetworkID, name string, at netip.AddrPort, meta []byte) (signed, error) {
	s, signature, err := decodeMeta(meta)
	if err != nil {
		return s, err
	}
	if !s.person.Verify(statement(id, name, at, meta[:len(meta)-signatureLen]), signature) {
		return s, fmt.Errorf("%w: wrong signature", errMeta)
	}
	return s, nil
}

// nodeName is what an instance is called in memberlist: its session, and a counter after its address changed, because memberlist takes a name that
// turns up elsewhere for an impostor.
func nodeName(s identity.Session, moves int) string {
	if moves == 0 {
		return s.String()
	}
	return s.String() + "." + strconv.Itoa(moves)
}

// parseName reads a name that nodeName returned, and no other.
func parseName(name string) (s identity.Session, moves int, err error) {
	text, counter, moved := strings.Cut(name, ".")
	if len(text) != hex.EncodedLen(len(s)) || strings.ToLower(text) != text {
		return s, 0, fmt.Errorf("%q does not name a session", name)
	}
	if s, err = identity.ParseSession(text); err != nil {
		return s, 0, err
	}
	if moved {
		if moves, err = strconv.Atoi(counter); err != nil || moves < 1 || moves > 1e9 || nodeName(s, moves) != name {
			return s, 0, fmt.Errorf("%q does not name a session", name)
		}
	}
	return s, moves, nil
}
