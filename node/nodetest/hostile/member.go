package hostile

import (
	"slices"
	"testing"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/nodetest/frames"
	"earshot/node/seal"
	"earshot/node/wire"
)

// A Member has the keys of a person who takes part in conversations and private rooms, and heeds none of the rules. What it takes it opens if it can.
type Member struct {
	Who     *identity.Identity
	Network identity.NetworkID
	Ring    *seal.Ring
	Profile *seal.Profile
	Rooms   map[message.RoomID]*seal.Room
	Said    []seal.Content // all that opened, in the order of arrival

	t    testing.TB
	logs map[message.LogID]*Log // of others, as far as they came
}

// NewMember is the person of that name, with a key made now.
func NewMember(t testing.TB, name string, n identity.NetworkID) *Member {
	t.Helper()
	ring, _, err := (&seal.Ring{}).Renew(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m := &Member{Who: frames.Identity(t, name), Network: n, Ring: ring, Rooms: map[message.RoomID]*seal.Room{}, t: t, logs: map[message.LogID]*Log{}}
	if m.Profile, err = seal.NewProfile(m.Who, n, uint64(time.Now().UnixMilli()), ring.Public(), name); err != nil {
		t.Fatal(err)
	}
	return m
}

// ID is whose keys these are.
func (m *Member) ID() identity.PeerID { return m.Who.ID() }

// Take reads a run as a node's vault would.
func (m *Member) Take(body []byte) {
	m.t.Helper()
	run, err := message.ParseRun(slices.Clone(body))
	if err != nil {
		m.t.Fatal(err)
	}
	l := m.logs[run.Log]
	if l == nil {
		if run.Opening == nil {
			return // began before this came
		}
		l = &Log{Opening: *run.Opening, Tip: run.Opening.Hash()}
		m.logs[run.Log] = l
	}
	for i, h := range run.Hashes() {
		rec := &run.Records[i]
		at := seal.Place{Log: run.Log, Seq: run.First + uint64(i), Prev: l.Tip, HLC: rec.HLC}
		l.Tip = h
		switch room := m.Rooms[l.Opening.Room]; {
		case rec.Kind == message.State && room != nil:
			m.learn(room, rec.Body)
		case rec.Kind != message.Sealed:
		case room != nil:
			log, err := room.Reader(l.Opening.Author, run.Log, rec.Body)
			if err != nil {
				continue
			}
			if c, err := log.Open(at, rec.Body); err == nil {
				m.Said = append(m.Said, c)
			}
		default:
			c, _, err := seal.OpenDM(m.Network, l.Opening.Room, l.Opening.Author, m.ID(), m.Ring, rec.Body)
			if err != nil {
				continue
			}
			m.Said = append(m.Said, seal.Content{Kind: c.Kind, Body: slices.Clone(c.Body)})
			if inv, err := seal.ParseInvitation(m.Network, m.ID(), c); err == nil {
				r := seal.NewRoom(inv.State)
				if err := r.AddKey(inv.State.Hash(), inv.Key); err != nil {
					m.t.Fatal(err)
				}
				m.Rooms[inv.State.Room()] = r
			}
		}
	}
}

func (m *Member) learn(r *seal.Room, body []byte) {
	if s, err := seal.ParseState(m.Network, body); err == nil {
		r.Accept(s)
	} else if w, err := seal.ParseWraps(slices.Clone(body)); err == nil && r.State(w.State) != nil {
		if key, err := r.State(w.State).Unwrap(w, m.ID(), m.Ring); err == nil {
			r.AddKey(w.State, key)
		}
	}
}

// Log begins a log of this person's in a sealed room.
func (m *Member) Log(room message.RoomID) *Log { return NewLog(m.Who, m.Network, "", "", room) }

// Direct is the log of what this person says to another.
func (m *Member) Direct(to identity.PeerID) *Log { return m.Log(seal.Direct(m.Network, m.ID(), to)) }

// SealTo is the body of a direct message.
func (m *Member) SealTo(to identity.PeerID, key *seal.PublicKey, c seal.Content) []byte {
	m.t.Helper()
	b, err := seal.SealDM(m.Network, m.ID(), to, key, m.Ring.Public(), c)
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

// Seals is the frame of what goes on l, a log in the room of s, under key, whatever s commits to.
func (m *Member) Seals(l *Log, s *seal.State, key seal.EpochKey, c seal.Content) []byte {
	m.t.Helper()
	at := l.Next()
	return Frame(wire.TypeRun, l.Says(message.Sealed, SealIn(m.t, s, key, at, c)))
}
